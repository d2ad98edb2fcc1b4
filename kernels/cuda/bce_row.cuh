// One element of binary cross-entropy with logits (bce_with_logits.h).
//
// Numerics  in f32, without cancellation: for y in [0, 1] the loss is
//             |z| * (z >= 0 ? 1 - y : y) + log1p(exp(-|z|)),       both terms >= 0,
//           and sigmoid(z) - y is (1 - y) - tail or tail - y with tail = sigmoid(-|z|), exact to
//           rounding also where the label is nearly met. Smoothing moves y and 1 - y alike
//           towards a half.
#pragma once

#include "kernels/cuda/simt.h"

namespace gradflip {

struct BceRow {
  double plain;    // of the label as it is
  double loss;     // of the smoothed one
  float gradient;  // of that, with respect to z
};

__device__ __forceinline__ BceRow bce_row(float z, float label, float label_smoothing) {
  const float decay = expf(-fabsf(z));  // in [0, 1], where exp(-z) would overflow
  const float plain_miss = z >= 0.0F ? 1.0F - label : label;
  const float miss = plain_miss + label_smoothing * (0.5F - plain_miss);
  const float tail = decay / (1.0F + decay);
  const double magnitude = fabsf(z), rest = log1pf(decay);
  return {magnitude * plain_miss + rest, magnitude * miss + rest,
          z >= 0.0F ? miss - tail : tail - miss};
}

}  // namespace gradflip
