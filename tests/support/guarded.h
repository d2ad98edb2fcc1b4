// An array in a backend's memory between two guard bands, for outputs and inputs of kernels under
// test.
//
// A fresh output is poisoned: NaN for floats, a pattern for integers, so that an element which a
// kernel does not write, or reads before it writes, shows. Guard bands hold NaNs too, each with
// bits of its own: what is read past an end poisons the result, and what is copied past an end
// does not match. The destructor fails the running test if a guard byte has changed.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "tests/support/backend.h"

namespace gradflip {

enum class Base {
  kAligned,   // to 64 bytes
  kOffByOne,  // one element past a 64-byte boundary
};

template <typename T, typename Ctx = Cpu>
class GuardedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // Poisoned.
  explicit GuardedBuffer(std::int64_t size, Base base = Base::kAligned)
      : size_(static_cast<std::size_t>(size)),
        begin_(kGuardBytes + (base == Base::kOffByOne ? sizeof(T) : 0)),
        expected_(begin_ + size_ * sizeof(T) + kGuardBytes),
        memory_(Backend<Ctx>::allocate(expected_.size())) {
    write_guards();
    std::vector<T> poison(size_);
    if constexpr (std::is_floating_point_v<T>) {
      poison.assign(size_, std::numeric_limits<T>::quiet_NaN());
    } else if (size_ > 0) {
      std::memset(static_cast<void*>(poison.data()), 0xA5, size_ * sizeof(T));
    }
    write(poison);
  }
  explicit GuardedBuffer(const std::vector<T>& contents, Base base = Base::kAligned)
      : GuardedBuffer(static_cast<std::int64_t>(contents.size()), base) {
    write(contents);
  }
  ~GuardedBuffer() {
    EXPECT_TRUE(guards_intact());
    Backend<Ctx>::release(memory_);
  }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  // In the backend's memory. An empty array has an address too: nobody may use it.
  T* data() { return reinterpret_cast<T*>(memory_ + begin_); }
  const T* data() const { return reinterpret_cast<const T*>(memory_ + begin_); }
  std::int64_t size() const { return static_cast<std::int64_t>(size_); }

  // Replaces the contents: as many elements as there are.
  void write(const std::vector<T>& contents) {
    Backend<Ctx>::copy_from_host(memory_ + begin_, contents.data(), size_ * sizeof(T));
  }

  // The contents, on the host.
  std::vector<T> read() const {
    std::vector<T> contents(size_);
    Backend<Ctx>::copy_to_host(contents.data(), memory_ + begin_, size_ * sizeof(T));
    return contents;
  }

  testing::AssertionResult guards_intact() const {
    std::vector<std::byte> found(expected_.size());
    Backend<Ctx>::copy_to_host(found.data(), memory_, found.size());
    for (std::size_t offset = 0; offset < found.size(); ++offset) {
      const bool in_contents = offset >= begin_ && offset < begin_ + size_ * sizeof(T);
      if (in_contents || found[offset] == expected_[offset]) continue;
      return testing::AssertionFailure()
             << "written outside an array of " << size_ << " elements of " << sizeof(T)
             << " bytes, at byte offset "
             << static_cast<std::ptrdiff_t>(offset) - static_cast<std::ptrdiff_t>(begin_);
    }
    return testing::AssertionSuccess();
  }

  // Undoes damage that a test did on purpose.
  void write_guards() {
    // Quiet NaNs with a different payload at every place and in every buffer, so that an element
    // copied from one guard band to another is still noticed.
    static std::uint32_t buffers = 0;
    std::uint32_t payload = ++buffers * 0x9E3779B9U;
    for (std::size_t offset = 0; offset < expected_.size(); ++offset) {
      if (offset % sizeof payload == 0) payload = payload * 1664525U + 1013904223U;
      const std::uint32_t word = 0x7FC00000U | (payload >> 10U);
      expected_[offset] = static_cast<std::byte>(word >> (offset % sizeof word * 8U));
    }
    const std::vector<T> contents = read();
    Backend<Ctx>::copy_from_host(memory_, expected_.data(), expected_.size());
    write(contents);
  }

 private:
  static constexpr std::size_t kGuardBytes = 256;

  std::size_t size_;
  std::size_t begin_;
  std::vector<std::byte> expected_;  // the guards' bytes; those of the contents mean nothing
  std::byte* memory_;
};

}  // namespace gradflip
