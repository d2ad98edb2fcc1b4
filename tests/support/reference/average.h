// Reference of kernels/average.h.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/support/reference/sums.h"

namespace gradflip::reference {

inline Sums average(double decay, const std::vector<double>& weight,
                    const std::vector<double>& averaged) {
  Sums result(static_cast<std::int64_t>(weight.size()));
  for (std::size_t i = 0; i < weight.size(); ++i) {
    result.add(static_cast<std::int64_t>(i), decay * averaged.at(i));
    result.add(static_cast<std::int64_t>(i), (1.0 - decay) * weight.at(i));
  }
  return result;
}

}  // namespace gradflip::reference
