// Reference of kernels/bce_with_logits.h.
#pragma once

#include <vector>

#include "tests/support/reference/loss.h"

namespace gradflip::reference {

// The loss of the labels, the gradient of smoothed ones.
Loss bce_with_logits(double scale, const std::vector<double>& logits,
                     const std::vector<double>& labels, double label_smoothing = 0.0);

// Each row's own loss, and its gradient unscaled, both of the labels.
Loss bce_with_logits_rows(const std::vector<double>& logits, const std::vector<double>& labels);

std::vector<double> smoothed_labels(std::vector<double> labels, double label_smoothing);

}  // namespace gradflip::reference
