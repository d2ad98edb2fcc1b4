// Central differences in double: the check that a reference's backward is the derivative of its
// forward. Inputs have to lie away from kinks and ties (separated_floats).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace gradflip {

using VectorFunction = std::function<std::vector<double>(const std::vector<double>&)>;

// dx[i] = d/dx[i] of sum over j of dy[j] * f(x)[j].
inline std::vector<double> central_differences(const VectorFunction& f, std::vector<double> x,
                                               const std::vector<double>& dy, double step = 1e-5) {
  std::vector<double> dx(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double middle = x[i];
    x[i] = middle + step;
    const std::vector<double> above = f(x);
    x[i] = middle - step;
    const std::vector<double> below = f(x);
    x[i] = middle;
    if (above.size() != dy.size() || below.size() != dy.size()) {
      ADD_FAILURE() << "f(x) has " << above.size() << " elements, dy " << dy.size();
      return {};
    }
    double difference = 0.0;
    for (std::size_t j = 0; j < dy.size(); ++j) difference += dy[j] * (above[j] - below[j]);
    dx[i] = difference / (2.0 * step);
  }
  return dx;
}

// Every component within `tolerance` of the largest one. NaN fails.
inline testing::AssertionResult gradients_match(const std::vector<double>& analytic,
                                                const std::vector<double>& numeric,
                                                double tolerance = 1e-6) {
  if (analytic.size() != numeric.size()) {
    return testing::AssertionFailure()
           << "sizes differ: analytic " << analytic.size() << ", numeric " << numeric.size();
  }
  double largest = 0.0;
  for (const double component : numeric) largest = std::max(largest, std::abs(component));
  for (std::size_t i = 0; i < analytic.size(); ++i) {
    const double error = std::abs(analytic[i] - numeric[i]);
    if (error <= tolerance * largest) continue;
    return testing::AssertionFailure() << "component [" << i << "]: analytic " << analytic[i]
                                       << ", numeric " << numeric[i] << ", largest " << largest;
  }
  return testing::AssertionSuccess();
}

}  // namespace gradflip
