// Reference of kernels/bce_with_logits.h.
#pragma once

#include <vector>

#include "tests/support/reference/loss.h"

namespace gradflip::reference {

Loss bce_with_logits(double scale, const std::vector<double>& logits,
                     const std::vector<double>& labels);

// Each row's own loss, and its gradient unscaled.
Loss bce_with_logits_rows(const std::vector<double>& logits, const std::vector<double>& labels);

}  // namespace gradflip::reference
