// Reference of kernels/heads.h, stage by stage: each stage takes what the kernel's stage before it
// left in memory, so that an error is that of one stage alone, and no ReLU lies on the other side
// of its kink.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/heads.h"
#include "tests/support/reference/loss.h"
#include "tests/support/reference/sums.h"

namespace gradflip::reference {

// h weight^T + bias, h (rows, in); with its ReLU.
Sums head_layer(std::int64_t rows, const std::vector<double>& h, const std::vector<double>& weight,
                const std::vector<double>& bias, bool relu);

struct HeadLabels {
  std::vector<std::int32_t> classes;  // one a row, of the loss's kind
  std::vector<double> targets;
  std::vector<double> weights;  // of the rows, in the gradient
};

struct HeadResult {
  Loss loss;
  std::int64_t correct = 0;
};

// From the logits; their own uncertainty counts in the result's scales.
HeadResult head_loss(const HeadShape& shape, const Sums& logits, const HeadLabels& labels);

// The gradient of the layer before: dlayer weight where hidden > 0.
Sums head_hidden_gradient(std::int64_t rows, const std::vector<double>& dlayer,
                          const std::vector<double>& weight, const std::vector<double>& hidden);

// dlayer^T h, (out, in).
Sums head_weight_gradient(std::int64_t rows, const std::vector<double>& dlayer,
                          const std::vector<double>& h);

}  // namespace gradflip::reference
