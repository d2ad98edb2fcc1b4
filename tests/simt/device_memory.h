// The memory that cudaMalloc hands out.
//
// Each buffer lies between guard zones that must not change, is filled with NaN (0xFF) and starts
// at a multiple of 256 bytes, as CUDA promises, but not of 512. AddressSanitizer sees everything
// but the buffers as poisoned; an observer may supply the memory and check it by itself. What was
// freed last is kept aside, so that its addresses stay invalid for a while.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>

#include "tests/simt/heap.h"

namespace simt {

class DeviceMemory {
 public:
  static constexpr std::size_t kTotalBytes = std::size_t{4} << 30;

  struct Buffer {
    std::byte* begin;
    std::size_t bytes;
    bool of_observer;
    int device;
  };

  DeviceMemory();

  // Null if there is not enough memory, of which all devices have a share. bytes > 0.
  void* allocate(std::size_t bytes, int device = 0);
  enum class Freed { kDone, kUnknown, kDamaged };
  // kDamaged: freed, but something was written beside the buffer, and `damage` says what.
  Freed release(void* memory, std::string* damage);
  void release_all();

  // The buffer that holds all the bytes; with none, also where one ends. Null if there is none.
  const Buffer* buffer_of(const void* address, std::size_t bytes) const;
  bool was_freed(const void* address) const;
  // What was written beside the buffer of this address since the last time it was asked for; empty
  // if nothing was or there is no buffer.
  std::string report_damage(const void* address);
  std::size_t free_bytes() const { return kTotalBytes - allocated_; }

  // The host and the device may touch device memory while one of these lives. Without one it is
  // inaccessible if config().protect says so.
  class Access {
   public:
    Access();
    ~Access();
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;
  };

 private:
  std::byte* take(std::size_t bytes);
  void set_aside(const Buffer& buffer);
  void give_back_oldest();
  void set_accessible(bool accessible);

  Heap heap_;
  std::size_t allocated_ = 0;  // in buffers, guard zones included
  std::map<const std::byte*, Buffer> buffers_;
  std::deque<Buffer> freed_;   // set aside, the oldest first
  std::size_t set_aside_ = 0;  // their bytes
  int accesses_ = 0;
  bool accessible_ = true;
};

DeviceMemory& device_memory();

}  // namespace simt
