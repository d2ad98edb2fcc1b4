// Reference of the sums of kernels/row_sums.h. x: (rows, features).
#pragma once

#include <vector>

#include "tests/support/reference/sums.h"

namespace gradflip::reference {

inline Sums sum_rows(std::int64_t features, double scale, const std::vector<double>& x) {
  Sums y(features);
  for (std::size_t at = 0; at < x.size(); ++at) {
    y.add(static_cast<std::int64_t>(at) % features, scale * x[at]);
  }
  return y;
}

inline Sums sum_features(std::int64_t rows, std::int64_t features, const std::vector<double>& x) {
  Sums y(rows);
  for (std::size_t at = 0; at < x.size(); ++at) {
    y.add(static_cast<std::int64_t>(at) / features, x[at]);
  }
  return y;
}

}  // namespace gradflip::reference
