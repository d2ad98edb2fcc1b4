#include "tests/support/compare.h"

#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>
#include <vector>

namespace gradflip {
namespace {

double allowed_error(double tolerance, double scale) {
  constexpr double kSmallestNormal = std::numeric_limits<float>::min();
  // Units that round operands take denormal ones as zero: times others of up to 64.
  return tolerance * scale + (tolerance > kSum ? 64 : 1) * kSmallestNormal;
}

}  // namespace

testing::AssertionResult all_close(std::span<const float> got, std::span<const double> want,
                                   std::span<const double> scale, double tolerance) {
  if (got.size() != want.size() || want.size() != scale.size()) {
    return testing::AssertionFailure() << "sizes differ: got " << got.size() << ", want "
                                       << want.size() << ", scale " << scale.size();
  }
  std::size_t failures = 0;
  std::size_t worst = 0;
  double worst_excess = 0.0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - want[i]);
    if (error <= allowed_error(tolerance, scale[i])) continue;
    const double ratio = error / scale[i];
    const double excess = std::isnan(ratio) ? HUGE_VAL : ratio;
    if (failures == 0 || excess > worst_excess) {
      worst = i;
      worst_excess = excess;
    }
    ++failures;
  }
  if (failures == 0) return testing::AssertionSuccess();
  std::ostringstream text;
  text << std::setprecision(9) << failures << " of " << got.size()
       << " elements are off; worst at [" << worst << "]: got " << got[worst] << ", want "
       << want[worst] << ", |error| " << std::abs(static_cast<double>(got[worst]) - want[worst])
       << ", allowed " << allowed_error(tolerance, scale[worst]);
  return testing::AssertionFailure() << text.str();
}

testing::AssertionResult all_close(std::span<const float> got, const reference::Sums& want,
                                   double tolerance) {
  return all_close(got, want.value, want.scale, tolerance);
}

testing::AssertionResult all_close(std::span<const float> got, std::span<const double> want,
                                   double tolerance) {
  std::vector<double> scale(want.begin(), want.end());
  for (double& magnitude : scale) magnitude = std::abs(magnitude);
  return all_close(got, want, scale, tolerance);
}

}  // namespace gradflip
