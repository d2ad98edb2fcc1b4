// Our CUDA kernels against the vendor's libraries, on a GPU: a second opinion at sizes where the
// double reference takes too long. Both sum in f32, so they differ by rounding; how much may come
// from rounding is told by the same operation on magnitudes, which the library computes too.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/math_modes.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/sums.h"

namespace gradflip {

// Skips without a GPU, fails instead where GRADFLIP_REQUIRE_CUDA is set.
class CrossCheckTest : public BackendTest<Cuda> {};

inline const char* text_of(Math math) {
  switch (math) {
    case Math::kTf32:
      return "tf32";
    case Math::kBf16:
      return "bf16";
    case Math::kTf32x3:
      return "tf32x3";
    case Math::kF32:
      break;
  }
  return "f32";
}

inline std::vector<float> magnitudes(std::vector<float> values) {
  for (float& value : values) value = std::abs(value);
  return values;
}

// theirs: what the library got; scale: what it got from magnitudes.
inline testing::AssertionResult agree(const std::vector<float>& ours,
                                      const std::vector<float>& theirs,
                                      const std::vector<float>& scale, double tolerance) {
  return all_close(ours, reference::widen(theirs), reference::widen(scale), tolerance);
}

}  // namespace gradflip
