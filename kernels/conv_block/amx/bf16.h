// Rounding to bf16 in plain C++: the tile kernels move memory in plain loops, which the compiler
// makes vectors of for the processors that have tiles, and which tests run anywhere.
#pragma once

#include <bit>
#include <cstdint>

namespace gradflip {
namespace {

// To nearest, ties to even; a NaN stays one.
inline std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U;
  const std::uint32_t quiet_nan = bits >> 16U | 0x40U;
  const bool is_nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return static_cast<std::uint16_t>(is_nan ? quiet_nan : rounded);
}

inline void to_bf16(std::int64_t count, const float* from, std::uint16_t* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = to_bf16(from[i]);
}

// Loops over elements that need not end at the last one go in blocks of so many: a whole vector
// without a tail. What they run over, their callers have to spare.
inline constexpr std::int64_t kBlock = 16;

}  // namespace
}  // namespace gradflip
