// One element of binary cross-entropy with logits (bce_with_logits.h).
//
// Numerics  in f32, without cancellation: for y in [0, 1] the loss is
//             |z| * (z >= 0 ? 1 - y : y) + log1p(exp(-|z|)),       both terms >= 0,
//           and sigmoid(z) - y is (1 - y) - tail or tail - y with tail = sigmoid(-|z|), exact to
//           rounding also where the label is nearly met.
#pragma once

#include "kernels/cuda/simt.h"

namespace gradflip {

struct BceRow {
  double loss;
  float gradient;  // of the loss, with respect to z
};

__device__ __forceinline__ BceRow bce_row(float z, float label) {
  const float decay = expf(-fabsf(z));  // in [0, 1], where exp(-z) would overflow
  const float miss = z >= 0.0F ? 1.0F - label : label;
  const float tail = decay / (1.0F + decay);
  return {static_cast<double>(fabsf(z)) * miss + static_cast<double>(log1pf(decay)),
          z >= 0.0F ? miss - tail : tail - miss};
}

}  // namespace gradflip
