// std::bit_width, for host and device: of 64 bits, nvcc 13.0 makes the constant 0 of it in a
// kernel.
#pragma once

#include <cstdint>

namespace gradflip {

// How many bits `value` takes: the least n >= 0 with value < 2^n.
constexpr int bit_width(std::uint64_t value) {
  int bits = 0;
  for (; value != 0; value >>= 1U) ++bits;
  return bits;
}

}  // namespace gradflip
