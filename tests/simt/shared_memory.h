// The shared memory of the block that runs: an arena with the dynamic part and every static
// variable, each between red zones. Before each block it is filled with NaN (0xFF); after it the
// red zones are checked. AddressSanitizer sees everything but the variables as poisoned.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace simt {

class SharedMemory {
 public:
  // What a block may have of config()'s in static variables.
  static constexpr std::size_t kMaxStaticBytes = 48 * 1024;

  SharedMemory();

  // A new kernel with this much dynamic shared memory, of at most `limit` together with the static.
  void begin_launch(std::size_t dynamic_bytes, std::size_t limit);
  void begin_block();
  // The name of a variable beside which something was written; empty if all is well.
  std::string damaged_variable() const;

  // The variable of this key; made when first asked for. Throws Error for more static variables
  // than any kernel may have, LaunchRefused beyond the launch's limit.
  void* variable(const void* key, std::size_t bytes, std::size_t alignment, const char* name);
  void* dynamic() const { return arena_ + regions_.front().offset; }
  // Of the variables that were asked for since the launch began.
  std::size_t static_bytes() const { return static_bytes_; }
  bool contains(const void* address, std::size_t bytes) const;

  std::byte* arena() const { return arena_; }
  static constexpr std::size_t kArenaBytes = 512 * 1024;

 private:
  struct Region {
    const void* key;
    std::size_t offset;
    std::size_t bytes;
    const char* name;
  };
  Region& add_region(const void* key, std::size_t bytes, std::size_t alignment, const char* name);

  std::byte* arena_;
  std::size_t used_ = 0;
  std::size_t limit_ = 0;
  std::size_t static_bytes_ = 0;
  std::vector<Region> regions_;  // the dynamic part first
};

}  // namespace simt
