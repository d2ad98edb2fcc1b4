// The math modes in tests. A mode is a permission, so a result is held against two bounds: with any
// operands, the error that rounding them makes; with operands that the mode leaves as they are, the
// error of an f32 sum, as their products are exact in f32.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "kernels/math_mode.h"
#include "tests/support/compare.h"

namespace gradflip {

inline constexpr Math kMaths[] = {Math::kF32, Math::kTf32, Math::kBf16, Math::kTf32x3};
inline constexpr Math kRoundingModes[] = {Math::kTf32, Math::kBf16, Math::kTf32x3};

// Of a sum whose operands are rounded.
inline double sum_tolerance(Math math) {
  switch (math) {
    case Math::kTf32:
      return kSumTf32;
    case Math::kBf16:
      return kSumBf16;
    case Math::kF32:
    case Math::kTf32x3:  // 3 * 2^-22 for each product, 7e-7
      break;
  }
  return kSum;
}

// Cut to the mantissa bits that the mode keeps: 10 of tf32, 7 of bf16; tf32x3 keeps nearly all.
inline std::vector<float> representable(std::vector<float> values, Math math) {
  const std::uint32_t kept = math == Math::kF32 || math == Math::kTf32x3 ? ~std::uint32_t{0}
                             : math == Math::kTf32                       ? ~std::uint32_t{0x1FFF}
                                                                         : ~std::uint32_t{0xFFFF};
  for (float& value : values) {
    value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & kept);
  }
  return values;
}

}  // namespace gradflip
