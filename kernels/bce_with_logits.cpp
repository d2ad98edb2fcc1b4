#include "kernels/bce_with_logits.h"

#include <algorithm>
#include <cmath>

#include "kernels/require.h"

namespace gradflip {
namespace {

void require_bce_rows(std::int64_t N) {
  GRADFLIP_REQUIRE(N >= 0, message("bce_with_logits: N is ", N, ", must be >= 0"));
}

// One row, in double.
struct BinaryCrossEntropy {
  double z, label;
  double decay = std::exp(-std::abs(z));  // in [0, 1], where exp(-z) would overflow

  double loss() const { return std::max(z, 0.0) - z * label + std::log1p(decay); }
  double gradient() const { return (z >= 0.0 ? 1.0 : decay) / (1.0 + decay) - label; }
};

}  // namespace

void bce_with_logits(Cpu /*ctx*/, std::int64_t N, Scale scale, const float* logits,
                     const float* labels, Write write, float* loss, float* dlogits) {
  require_bce_rows(N);
  const double factor = value_of(scale);
  double sum_of_losses = write == Write::kAccumulate ? *loss : 0.0;
  for (std::int64_t n = 0; n < N; ++n) {
    const BinaryCrossEntropy row{logits[n], labels[n]};
    sum_of_losses += row.loss();
    if (dlogits != nullptr) dlogits[n] = static_cast<float>(factor * row.gradient());
  }
  *loss = static_cast<float>(sum_of_losses);
}

void bce_with_logits_rows(Cpu /*ctx*/, std::int64_t N, const float* logits, const float* labels,
                          float* losses, float* dlogits) {
  require_bce_rows(N);
  for (std::int64_t n = 0; n < N; ++n) {
    const BinaryCrossEntropy row{logits[n], labels[n]};
    losses[n] = static_cast<float>(row.loss());
    if (dlogits != nullptr) dlogits[n] = static_cast<float>(row.gradient());
  }
}

}  // namespace gradflip
