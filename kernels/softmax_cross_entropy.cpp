// Numerics  exponentials, their sum and the loss in double: a row is a handful of classes, and the
//           gradient of a nearly certain row, p - t, would lose most of its digits in float.
#include "kernels/softmax_cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "kernels/require.h"

namespace gradflip {
namespace {

void require_labels_in_range(const SoftmaxCrossEntropyShape& shape, const std::int32_t* labels) {
  for (std::int64_t i = 0; i < shape.N; ++i) {
    GRADFLIP_REQUIRE(labels[i] >= 0 && labels[i] < shape.num_classes,
                     message("softmax_cross_entropy: labels[", i, "] is ", labels[i],
                             ", must be in [0, ", shape.num_classes, ")"));
  }
}

// Rows of logits and what is wanted of them.
struct CrossEntropy {
  std::int64_t num_classes;
  double label_smoothing;
  double factor;  // of the gradient

  // `loss` with the row's terms added one by one. Writes the row's gradient unless dlogits is null.
  double add_row(double loss, const float* logits, std::int32_t label, float* dlogits) const {
    const double largest = *std::max_element(logits, logits + num_classes);
    double sum = 0.0;
    for (std::int64_t j = 0; j < num_classes; ++j) sum += std::exp(logits[j] - largest);
    const double log_sum = std::log(sum);
    const double smoothed = label_smoothing / static_cast<double>(num_classes);
    for (std::int64_t j = 0; j < num_classes; ++j) {
      const double log_prob = logits[j] - largest - log_sum;
      const double wanted = smoothed + (j == label ? 1.0 - label_smoothing : 0.0);
      loss -= wanted * log_prob;
      if (dlogits == nullptr) continue;
      dlogits[j] = static_cast<float>(factor * (std::exp(log_prob) - wanted));
    }
    return loss;
  }
};

}  // namespace

void require_valid(const SoftmaxCrossEntropyShape& shape, float label_smoothing) {
  GRADFLIP_REQUIRE(shape.N >= 0 && shape.num_classes > 0,
                   message("softmax_cross_entropy: N is ", shape.N, " (>= 0), num_classes is ",
                           shape.num_classes, " (> 0)"));
  GRADFLIP_REQUIRE(label_smoothing >= 0.0F && label_smoothing <= 1.0F,
                   message("softmax_cross_entropy: label_smoothing is ", label_smoothing,
                           ", must be in [0, 1]"));
}

void softmax_cross_entropy(Cpu /*ctx*/, const SoftmaxCrossEntropyShape& shape,
                           float label_smoothing, Scale scale, const float* logits,
                           const std::int32_t* labels, Write write, float* loss, float* dlogits) {
  require_valid(shape, label_smoothing);
  require_labels_in_range(shape, labels);
  const CrossEntropy rows{shape.num_classes, label_smoothing, value_of(scale)};
  double sum_of_losses = write == Write::kAccumulate ? *loss : 0.0;
  for (std::int64_t i = 0; i < shape.N; ++i) {
    const std::int64_t row = i * shape.num_classes;
    sum_of_losses = rows.add_row(sum_of_losses, logits + row, labels[i],
                                 dlogits == nullptr ? nullptr : dlogits + row);
  }
  *loss = static_cast<float>(sum_of_losses);
}

void softmax_cross_entropy_rows(Cpu /*ctx*/, const SoftmaxCrossEntropyShape& shape,
                                float label_smoothing, const float* logits,
                                const std::int32_t* labels, float* losses, float* dlogits) {
  require_valid(shape, label_smoothing);
  require_labels_in_range(shape, labels);
  const CrossEntropy rows{shape.num_classes, label_smoothing, 1.0};
  for (std::int64_t i = 0; i < shape.N; ++i) {
    const std::int64_t row = i * shape.num_classes;
    losses[i] = static_cast<float>(
        rows.add_row(0.0, logits + row, labels[i], dlogits == nullptr ? nullptr : dlogits + row));
  }
}

}  // namespace gradflip
