// Reference of kernels/moments.h and kernels/batch_norm.h, for rows that each name their group.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/support/reference/sums.h"

namespace gradflip::reference {

struct BatchNormCase {
  std::vector<int> group = {};  // of each row
  int groups = 1;
  std::int64_t pixels = 1, C = 1;
  double epsilon = 1e-5, slope = 1.0, cap = INFINITY;

  std::int64_t rows() const { return static_cast<std::int64_t>(group.size()); }
  std::int64_t size() const { return rows() * pixels * C; }
  int group_of(std::int64_t element) const {
    return group[static_cast<std::size_t>(element / (pixels * C))];
  }
  // Of the statistics, among (groups, C).
  std::int64_t place(std::int64_t element) const { return group_of(element) * C + element % C; }
  double count(int of) const {
    return static_cast<double>(std::count(group.begin(), group.end(), of) * pixels);
  }
};

struct Moments {
  std::vector<double> mean, variance;  // (groups, C)
};

inline Moments moments(const BatchNormCase& norm, const std::vector<double>& x) {
  const auto size = static_cast<std::size_t>(norm.groups * norm.C);
  Moments of{std::vector<double>(size), std::vector<double>(size)};
  for (std::int64_t i = 0; i < norm.size(); ++i) {
    of.mean[norm.place(i)] += x[i] / norm.count(norm.group_of(i));
  }
  for (std::int64_t i = 0; i < norm.size(); ++i) {
    const double from_mean = x[i] - of.mean[norm.place(i)];
    of.variance[norm.place(i)] += from_mean * from_mean / norm.count(norm.group_of(i));
  }
  return of;
}

// scale, shift: (groups, C).
struct Affine {
  std::vector<double> scale, shift;
};

inline double normalised(const BatchNormCase& norm, const Moments& of, std::int64_t i, double x) {
  const std::int64_t place = norm.place(i);
  return (x - of.mean[place]) / std::sqrt(of.variance[place] + norm.epsilon);
}

inline double rectified(const BatchNormCase& norm, double value) {
  return value > 0.0 ? std::min(value, norm.cap) : norm.slope * value;
}

// With these moments; scale of the comparison: the terms of the last step.
inline Sums batch_norm(const BatchNormCase& norm, const Moments& of, const Affine& affine,
                       const std::vector<double>& x) {
  Sums y(norm.size());
  for (std::int64_t i = 0; i < norm.size(); ++i) {
    const std::int64_t place = norm.place(i);
    const double xhat = normalised(norm, of, i, x[i]);
    y.value[i] = rectified(norm, xhat * affine.scale[place] + affine.shift[place]);
    y.scale[i] = std::abs(xhat * affine.scale[place]) + std::abs(affine.shift[place]);
  }
  return y;
}

// dy behind the rectifier.
inline std::vector<double> behind_rectifier(const BatchNormCase& norm, const Moments& of,
                                            const Affine& affine, const std::vector<double>& x,
                                            const std::vector<double>& dy) {
  std::vector<double> g(dy);
  for (std::int64_t i = 0; i < norm.size(); ++i) {
    const std::int64_t place = norm.place(i);
    const double value = normalised(norm, of, i, x[i]) * affine.scale[place] + affine.shift[place];
    if (value <= 0.0) g[i] *= norm.slope;
    if (value >= norm.cap) g[i] = 0.0;
  }
  return g;
}

// (groups, 2, C): sums of g and of g * xhat.
inline Sums batch_norm_sums(const BatchNormCase& norm, const Moments& of,
                            const std::vector<double>& x, const std::vector<double>& g) {
  Sums sums(norm.groups * 2 * norm.C);
  for (std::int64_t i = 0; i < norm.size(); ++i) {
    const std::int64_t first = norm.group_of(i) * 2 * norm.C + i % norm.C;
    sums.add(first, g[i]);
    sums.add(first + norm.C, g[i] * normalised(norm, of, i, x[i]));
  }
  return sums;
}

// sums empty: the moments are constants.
inline Sums batch_norm_backward(const BatchNormCase& norm, const Moments& of, const Affine& affine,
                                const std::vector<double>& x, const std::vector<double>& g,
                                const std::vector<double>& sums) {
  Sums dx(norm.size());
  for (std::int64_t i = 0; i < norm.size(); ++i) {
    const std::int64_t place = norm.place(i);
    const double factor = affine.scale[place] / std::sqrt(of.variance[place] + norm.epsilon);
    dx.add(i, factor * g[i]);
    if (sums.empty()) continue;
    const std::int64_t first = norm.group_of(i) * 2 * norm.C + i % norm.C;
    const double count = norm.count(norm.group_of(i));
    dx.add(i, -factor * sums[first] / count);
    dx.add(i, -factor * normalised(norm, of, i, x[i]) * sums[first + norm.C] / count);
  }
  return dx;
}

}  // namespace gradflip::reference
