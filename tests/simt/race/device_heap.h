// The device memory of the race flavour: one mapping, so that an address tells at once whether it
// is device memory and where its shadow is. Freed addresses are used again as late as possible, so
// that a use after free meets freed bytes.
#pragma once

#include <cstddef>
#include <map>

namespace simt::race {

class DeviceHeap {
 public:
  static constexpr std::size_t kBytes = std::size_t{4} << 30;

  DeviceHeap();
  char* base() const { return base_; }
  // Null if there is no room. Aligned to 256 bytes, as CUDA promises, but not to 512; 256 or more
  // unused bytes on both sides.
  char* allocate(std::size_t bytes);
  // Its size; 0 if it is not the beginning of a buffer.
  std::size_t free(void* begin);
  // The buffer that begins at or before p: its beginning and size, 0 if there is none.
  std::pair<const char*, std::size_t> buffer_before(const void* p) const;

 private:
  static constexpr std::size_t kAlignment = 256;
  static std::size_t room(std::size_t bytes) {
    constexpr std::size_t kUnit = 2 * kAlignment;
    return (bytes + kAlignment + kUnit - 1) / kUnit * kUnit;
  }
  // The first gap of that size at or after `from`; null if there is none.
  char* find_gap(char* from, std::size_t size) const;

  char* base_;
  char* next_;  // where the search begins
  std::map<const char*, std::size_t> buffers_;
};

}  // namespace simt::race
