#include "tests/support/reference/softmax_cross_entropy.h"

#include <algorithm>
#include <cmath>

namespace gradflip::reference {

namespace {

// The terms of row i go to losses[i % size].
Loss cross_entropy(std::size_t size, std::int64_t num_classes, double label_smoothing, double scale,
                   const std::vector<double>& logits, const std::vector<std::int32_t>& labels) {
  Loss result{Sums(static_cast<std::int64_t>(size)),
              Sums(static_cast<std::int64_t>(logits.size()))};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double* row = logits.data() + static_cast<std::int64_t>(i) * num_classes;
    const double largest = *std::max_element(row, row + num_classes);
    double sum = 0.0;
    for (std::int64_t j = 0; j < num_classes; ++j) sum += std::exp(row[j] - largest);
    for (std::int64_t j = 0; j < num_classes; ++j) {
      const double log_prob = row[j] - largest - std::log(sum);
      const double wanted = (1.0 - label_smoothing) * (j == labels[i] ? 1.0 : 0.0) +
                            label_smoothing / static_cast<double>(num_classes);
      result.loss.add(static_cast<std::int64_t>(i % size), -wanted * log_prob);
      const std::int64_t element = static_cast<std::int64_t>(i) * num_classes + j;
      result.dlogits.add(element, scale * std::exp(log_prob));
      result.dlogits.add(element, -scale * wanted);
    }
  }
  return result;
}

}  // namespace

Loss softmax_cross_entropy(std::int64_t num_classes, double label_smoothing, double scale,
                           const std::vector<double>& logits,
                           const std::vector<std::int32_t>& labels) {
  return cross_entropy(1, num_classes, label_smoothing, scale, logits, labels);
}

Loss softmax_cross_entropy_rows(std::int64_t num_classes, double label_smoothing,
                                const std::vector<double>& logits,
                                const std::vector<std::int32_t>& labels) {
  return cross_entropy(labels.size(), num_classes, label_smoothing, 1.0, logits, labels);
}

}  // namespace gradflip::reference
