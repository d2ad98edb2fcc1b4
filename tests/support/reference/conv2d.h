// Reference of kernels/conv2d.h: seven nested loops.
#pragma once

#include <vector>

#include "kernels/conv2d.h"
#include "tests/support/reference/sums.h"

namespace gradflip::reference {

Sums conv2d_forward(const Conv2dShape& shape, const std::vector<double>& x,
                    const std::vector<double>& filter);
Sums conv2d_backward_data(const Conv2dShape& shape, const std::vector<double>& dy,
                          const std::vector<double>& filter);
Sums conv2d_backward_filter(const Conv2dShape& shape, const std::vector<double>& x,
                            const std::vector<double>& dy);

// Output height and width, by counting the positions at which the filter fits: independent of
// Conv2dShape::P() and Q().
std::int64_t conv2d_output_height(const Conv2dShape& shape);
std::int64_t conv2d_output_width(const Conv2dShape& shape);

}  // namespace gradflip::reference
