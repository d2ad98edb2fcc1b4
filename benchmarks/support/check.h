// Comparisons for Case::check: a benchmark of a wrong result is worth nothing.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/compare.h"
#include "tests/support/math_modes.h"

namespace gradflip::bench {

// "" or "<what>: <the worst element>".
inline std::string differences(const std::string& what, const std::vector<float>& got,
                               const reference::Sums& want, double tolerance) {
  const testing::AssertionResult result = all_close(got, want, tolerance);
  return result ? "" : what + ": " + result.message();
}

}  // namespace gradflip::bench
