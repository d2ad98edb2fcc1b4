// Comparisons for Case::check: a benchmark of a wrong result is worth nothing.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/math_mode.h"
#include "tests/support/compare.h"

namespace gradflip::bench {

// For sums of up to 10^4 products, relative to the sum of their magnitudes, by how the operands may
// be rounded.
inline double tolerance(Math math) {
  switch (math) {
    case Math::kTf32:
      return 2e-3;
    case Math::kBf16:
      return 1e-2;
    case Math::kF32:
      break;
  }
  return kSum;
}

// "" or "<what>: <the worst element>".
inline std::string differences(const std::string& what, const std::vector<float>& got,
                               const reference::Sums& want, double tolerance) {
  const testing::AssertionResult result = all_close(got, want, tolerance);
  return result ? "" : what + ": " + result.message();
}

}  // namespace gradflip::bench
