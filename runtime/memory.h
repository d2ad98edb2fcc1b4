// Memory of a context: owned, move-only, and copied by named calls only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

// Zeroed bytes in a context's memory, aligned to 64 bytes. A buffer of 0 bytes holds nothing.
class Buffer {
 public:
  Buffer() = default;
  // Throws std::bad_alloc, or DeviceMemoryError where the memory is a GPU's.
  Buffer(const Context& context, std::int64_t bytes);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  std::byte* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  Context context_;
  std::byte* data_ = nullptr;
  std::int64_t bytes_ = 0;
};

// Copies within a context's memory, enqueued as a kernel is. The ranges do not overlap.
void copy_within(const Context& context, void* to, const void* from, std::int64_t bytes);

// Copies between the host's memory and a context's. Complete when they return.
void copy_from_host(const Context& context, void* to, const void* from, std::int64_t bytes);
void copy_to_host(const Context& context, void* to, const void* from, std::int64_t bytes);

}  // namespace gradflip
