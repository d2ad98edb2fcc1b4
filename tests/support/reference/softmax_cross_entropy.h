// Reference of kernels/softmax_cross_entropy.h.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/support/reference/loss.h"

namespace gradflip::reference {

Loss softmax_cross_entropy(std::int64_t num_classes, double label_smoothing, double scale,
                           const std::vector<double>& logits,
                           const std::vector<std::int32_t>& labels);

// Each row's own loss, and its gradient unscaled.
Loss softmax_cross_entropy_rows(std::int64_t num_classes, double label_smoothing,
                                const std::vector<double>& logits,
                                const std::vector<std::int32_t>& labels);

}  // namespace gradflip::reference
