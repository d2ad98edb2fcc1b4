#include "tests/support/reference/heads.h"

#include <cmath>

#include "tests/support/reference/bce_with_logits.h"
#include "tests/support/reference/relu.h"
#include "tests/support/reference/softmax_cross_entropy.h"

namespace gradflip::reference {
namespace {

bool is_right(const HeadShape& shape, const std::vector<double>& logits, std::int64_t row,
              const HeadLabels& labels) {
  if (shape.loss == HeadLoss::kBceWithLogits) {
    const double z = logits[row], label = labels.targets[row];
    return (label == 1.0 && z > 0.0) || (label == 0.0 && z < 0.0);
  }
  const std::int64_t classes = shape.widths[shape.num_layers - 1];
  std::int64_t best = 0;
  for (std::int64_t j = 0; j < classes; ++j) {
    if (std::isnan(logits[row * classes + j])) return false;
    if (logits[row * classes + j] > logits[row * classes + best]) best = j;
  }
  return best == labels.classes[row];
}

}  // namespace

Sums head_layer(std::int64_t rows, const std::vector<double>& h, const std::vector<double>& weight,
                const std::vector<double>& bias, bool relu) {
  const auto out = static_cast<std::int64_t>(bias.size());
  const std::int64_t in = static_cast<std::int64_t>(weight.size()) / out;
  Sums z(rows * out);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t k = 0; k < in; ++k) {
        z.add(r * out + o, h[r * in + k] * weight[o * in + k]);
      }
      z.add(r * out + o, bias[o]);
    }
  }
  if (relu) z.value = relu_forward(z.value);
  return z;
}

HeadResult head_loss(const HeadShape& shape, const Sums& logits, const HeadLabels& labels) {
  const std::int64_t width = shape.widths[shape.num_layers - 1];
  HeadResult result;
  result.loss = {Sums(1), Sums(shape.rows * width)};
  for (std::int64_t r = 0; r < shape.rows; ++r) {
    const std::vector<double> row(logits.value.begin() + r * width,
                                  logits.value.begin() + (r + 1) * width);
    const Loss one = shape.loss == HeadLoss::kSoftmaxCrossEntropy
                         ? softmax_cross_entropy(width, static_cast<double>(shape.label_smoothing),
                                                 labels.weights[r], row, {labels.classes[r]})
                         : bce_with_logits(labels.weights[r], row, {labels.targets[r]},
                                           static_cast<double>(shape.label_smoothing));
    double uncertainty = 0.0;
    for (std::int64_t j = 0; j < width; ++j) uncertainty += logits.scale[r * width + j];
    result.loss.loss.value[0] += one.loss.value[0];
    result.loss.loss.scale[0] += one.loss.scale[0] + uncertainty;
    for (std::int64_t j = 0; j < width; ++j) {
      result.loss.dlogits.value[r * width + j] = one.dlogits.value[j];
      result.loss.dlogits.scale[r * width + j] =
          one.dlogits.scale[j] + std::abs(labels.weights[r]) * uncertainty;
    }
    if (is_right(shape, logits.value, r, labels)) ++result.correct;
  }
  return result;
}

Sums head_hidden_gradient(std::int64_t rows, const std::vector<double>& dlayer,
                          const std::vector<double>& weight, const std::vector<double>& hidden) {
  Sums dx(static_cast<std::int64_t>(hidden.size()));
  if (rows == 0) return dx;
  const auto in = static_cast<std::int64_t>(hidden.size()) / rows;
  const auto out = static_cast<std::int64_t>(dlayer.size()) / rows;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < in; ++k) {
      for (std::int64_t o = 0; o < out; ++o) {
        dx.add(r * in + k, dlayer[r * out + o] * weight[o * in + k]);
      }
    }
  }
  dx.value = relu_backward(hidden, dx.value);
  return dx;
}

Sums head_weight_gradient(std::int64_t rows, const std::vector<double>& dlayer,
                          const std::vector<double>& h) {
  if (rows == 0) return Sums(0);
  const auto out = static_cast<std::int64_t>(dlayer.size()) / rows;
  const auto in = static_cast<std::int64_t>(h.size()) / rows;
  Sums dweight(out * in);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t k = 0; k < in; ++k) {
        dweight.add(o * in + k, dlayer[r * out + o] * h[r * in + k]);
      }
    }
  }
  return dweight;
}

}  // namespace gradflip::reference
