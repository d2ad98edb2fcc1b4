// Comparison of a kernel's f32 output with a double-precision reference, element by element:
// |got - want| <= tolerance * scale, with `scale` the sum of |terms| behind that element. So
// cancellation cannot fake a failure, nor a wide absolute tolerance hide one. Only what f32 cannot
// hold is forgiven: an error below its smallest normal number, or what such operands make where
// operands are rounded. A NaN on either side fails, and so
// does a difference in size. A failure names the worst element.
#pragma once

#include <gtest/gtest.h>

#include <span>

#include "tests/support/reference/sums.h"

namespace gradflip {

inline constexpr double kElementwise = 1e-6;  // one or two roundings to f32
inline constexpr double kSum = 1e-5;          // f32 sums of up to 10^4 terms
inline constexpr double kSumTf32 = 2e-3;      // the same with operands rounded to tf32
inline constexpr double kSumBf16 = 1e-2;      // and to bf16

testing::AssertionResult all_close(std::span<const float> got, std::span<const double> want,
                                   std::span<const double> scale, double tolerance);

testing::AssertionResult all_close(std::span<const float> got, const reference::Sums& want,
                                   double tolerance);

// Elementwise operations: scale = |want|, so a zero has to be a zero.
testing::AssertionResult all_close(std::span<const float> got, std::span<const double> want,
                                   double tolerance);

}  // namespace gradflip
