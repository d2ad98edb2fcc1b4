#include "kernels/bce_with_logits.h"

#include <algorithm>
#include <cmath>

#include "kernels/require.h"

namespace gradflip {

void bce_with_logits(Cpu /*ctx*/, std::int64_t N, Scale scale, const float* logits,
                     const float* labels, Write write, float* loss, float* dlogits) {
  GRADFLIP_REQUIRE(N >= 0, message("bce_with_logits: N is ", N, ", must be >= 0"));
  const double factor = value_of(scale);
  double sum_of_losses = write == Write::kAccumulate ? *loss : 0.0;
  for (std::int64_t n = 0; n < N; ++n) {
    const double z = logits[n];
    const double label = labels[n];
    const double decay = std::exp(-std::abs(z));  // in [0, 1], where exp(-z) would overflow
    sum_of_losses += std::max(z, 0.0) - z * label + std::log1p(decay);
    if (dlogits == nullptr) continue;
    const double sigmoid = (z >= 0.0 ? 1.0 : decay) / (1.0 + decay);
    dlogits[n] = static_cast<float>(factor * (sigmoid - label));
  }
  *loss = static_cast<float>(sum_of_losses);
}

}  // namespace gradflip
