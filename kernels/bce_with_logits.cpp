#include "kernels/bce_with_logits.h"

#include <algorithm>
#include <cmath>

#include "kernels/require.h"

namespace gradflip {
namespace {

// One row, in double.
struct BinaryCrossEntropy {
  double z;
  double decay = std::exp(-std::abs(z));  // in [0, 1], where exp(-z) would overflow

  double loss(double label) const { return std::max(z, 0.0) - z * label + std::log1p(decay); }
  double gradient(double label) const { return (z >= 0.0 ? 1.0 : decay) / (1.0 + decay) - label; }
};

double smoothed(double label, double smoothing) { return label + smoothing * (0.5 - label); }

}  // namespace

void require_valid_bce(std::int64_t N, float label_smoothing) {
  GRADFLIP_REQUIRE(N >= 0, message("bce_with_logits: N is ", N, ", must be >= 0"));
  GRADFLIP_REQUIRE(
      label_smoothing >= 0.0F && label_smoothing <= 1.0F,
      message("bce_with_logits: label_smoothing is ", label_smoothing, ", must be in [0, 1]"));
}

void bce_with_logits(Cpu /*ctx*/, std::int64_t N, float label_smoothing, Scale scale,
                     const float* logits, const float* labels, Write write, float* loss,
                     float* dlogits) {
  require_valid_bce(N, label_smoothing);
  const double factor = value_of(scale);
  double sum_of_losses = write == Write::kAccumulate ? *loss : 0.0;
  for (std::int64_t n = 0; n < N; ++n) {
    const BinaryCrossEntropy row{logits[n]};
    sum_of_losses += row.loss(labels[n]);
    if (dlogits == nullptr) continue;
    const double label = smoothed(labels[n], label_smoothing);
    dlogits[n] = static_cast<float>(factor * row.gradient(label));
  }
  *loss = static_cast<float>(sum_of_losses);
}

void bce_with_logits_rows(Cpu /*ctx*/, std::int64_t N, float label_smoothing, const float* logits,
                          const float* labels, float* losses, float* plain, float* dlogits) {
  require_valid_bce(N, label_smoothing);
  for (std::int64_t n = 0; n < N; ++n) {
    const BinaryCrossEntropy row{logits[n]};
    const double label = smoothed(labels[n], label_smoothing);
    losses[n] = static_cast<float>(row.loss(label));
    if (plain != nullptr) plain[n] = static_cast<float>(row.loss(labels[n]));
    if (dlogits != nullptr) dlogits[n] = static_cast<float>(row.gradient(label));
  }
}

}  // namespace gradflip
