// Hands out consecutive 64-byte aligned arrays of a workspace. With a null workspace it only
// counts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradflip {

class Scratch {
 public:
  explicit Scratch(void* workspace) : begin_(static_cast<std::byte*>(workspace)) {}

  template <typename T>
  T* take(std::int64_t count) {
    T* array = begin_ == nullptr ? nullptr : reinterpret_cast<T*>(begin_ + bytes_);
    constexpr std::int64_t kAlignment = 64;
    bytes_ +=
        (count * static_cast<std::int64_t>(sizeof(T)) + kAlignment - 1) / kAlignment * kAlignment;
    return array;
  }
  // What is left of the workspace.
  Scratch rest() const { return Scratch(begin_ == nullptr ? nullptr : begin_ + bytes_); }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::byte* begin_;
  std::int64_t bytes_ = 0;
};

}  // namespace gradflip
