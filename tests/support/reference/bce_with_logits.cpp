#include "tests/support/reference/bce_with_logits.h"

#include <cmath>

namespace gradflip::reference {
namespace {

// -log(sigmoid(z)). The textbook form would overflow for z < -709.
double negative_log_sigmoid(double z) {
  return z < 0.0 ? std::log1p(std::exp(z)) - z : std::log1p(std::exp(-z));
}

// The terms of row i go to losses[i % size].
Loss binary_cross_entropy(std::size_t size, double scale, const std::vector<double>& logits,
                          const std::vector<double>& labels) {
  Loss result{Sums(static_cast<std::int64_t>(size)),
              Sums(static_cast<std::int64_t>(logits.size()))};
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double label = labels.at(i);
    const auto row = static_cast<std::int64_t>(i % size);
    result.loss.add(row, label * negative_log_sigmoid(logits[i]));
    result.loss.add(row, (1.0 - label) * negative_log_sigmoid(-logits[i]));
    const auto element = static_cast<std::int64_t>(i);
    result.dlogits.add(element, scale * std::exp(-negative_log_sigmoid(logits[i])));
    result.dlogits.add(element, -scale * label);
  }
  return result;
}

}  // namespace

Loss bce_with_logits(double scale, const std::vector<double>& logits,
                     const std::vector<double>& labels, double label_smoothing) {
  const Loss plain = binary_cross_entropy(1, scale, logits, labels);
  return {plain.loss,
          binary_cross_entropy(1, scale, logits, smoothed_labels(labels, label_smoothing)).dlogits};
}

std::vector<double> smoothed_labels(std::vector<double> labels, double label_smoothing) {
  for (double& label : labels) label = (1.0 - label_smoothing) * label + label_smoothing / 2.0;
  return labels;
}

Loss bce_with_logits_rows(const std::vector<double>& logits, const std::vector<double>& labels) {
  return binary_cross_entropy(logits.size(), 1.0, logits, labels);
}

}  // namespace gradflip::reference
