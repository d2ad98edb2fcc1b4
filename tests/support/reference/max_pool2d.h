// Reference of kernels/max_pool2d.h.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/max_pool2d.h"
#include "tests/support/reference/sums.h"

namespace gradflip::reference {

struct MaxPool2dOutput {
  std::vector<double> y;
  std::vector<std::int32_t> winner;
};
MaxPool2dOutput max_pool2d_forward(const Pool2dShape& shape, const std::vector<double>& x);

Sums max_pool2d_backward(const Pool2dShape& shape, const std::vector<double>& dy,
                         const std::vector<std::int32_t>& winner);

}  // namespace gradflip::reference
