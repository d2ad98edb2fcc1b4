// Arrays in a context's memory for benchmarks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "runtime/memory.h"
#include "tests/support/random_data.h"

namespace gradflip::bench {

template <typename T>
class Array {
 public:
  Array(const Context& context, const std::vector<T>& values)
      : Array(context, static_cast<std::int64_t>(values.size())) {
    if (!values.empty()) copy_from_host(context, data(), values.data(), buffer_.bytes());
  }
  // All bits set: NaN as floats, so that an element which is not written shows in a check.
  Array(const Context& context, std::int64_t size)
      : context_(context), buffer_(context, size * static_cast<std::int64_t>(sizeof(T))) {
    const std::vector<unsigned char> poison(static_cast<std::size_t>(buffer_.bytes()), 0xFF);
    if (size > 0) copy_from_host(context, data(), poison.data(), buffer_.bytes());
  }

  T* data() const { return buffer_.as<T>(); }
  std::int64_t size() const { return buffer_.bytes() / static_cast<std::int64_t>(sizeof(T)); }

  std::vector<T> read() const {
    std::vector<T> values(static_cast<std::size_t>(size()));
    if (!values.empty()) copy_to_host(context_, values.data(), data(), buffer_.bytes());
    return values;
  }

 private:
  Context context_;
  Buffer buffer_;
};

// Uniform in [-1, 1). Past a prime number of a million values it repeats itself, which no kernel
// notices: drawing more would take longer than the benchmark.
inline std::vector<float> many_random_floats(std::int64_t size, std::uint64_t seed) {
  constexpr std::int64_t kPeriod = 999'983;
  std::vector<float> values = random_floats(std::min(size, kPeriod), seed);
  values.resize(static_cast<std::size_t>(size));
  for (std::int64_t i = kPeriod; i < size; ++i) values[i] = values[i - kPeriod];
  return values;
}

}  // namespace gradflip::bench
