// One row of softmax cross-entropy (softmax_cross_entropy.h), for a group of kLanes neighbouring
// lanes as class_rows.cuh shares rows out: its maximum, its sum of exponentials, then its loss and
// its gradient. All 32 lanes of a warp take part in the sums; a group without a row has no classes.
//
// Numerics  exponentials in f32, as double units are few on most GPUs. No digits cancel: with m the
//           row's maximum, in class a, and rest = sum over j != a of exp(x_j - m), the row's loss
//           is log1p(rest) + sum_j t_j (m - x_j), all terms >= 0, and the gradient of a nearly
//           certain row, p_a - 1, is -rest / (1 + rest). The gaps m - x_j of the loss, which may
//           pass f32's range, are in double.
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/cuda/class_rows.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"

namespace gradflip {

// The t_j of a row: `elsewhere`, and by `surplus` more at the label.
struct SoftmaxTargets {
  double elsewhere;
  double surplus;
  float at_label_f32, elsewhere_f32, one_minus_at_label_f32;  // each rounded once
};

inline SoftmaxTargets softmax_targets(float label_smoothing, std::int64_t num_classes) {
  const double surplus = 1.0 - static_cast<double>(label_smoothing);
  const double elsewhere = static_cast<double>(label_smoothing) / static_cast<double>(num_classes);
  return {elsewhere, surplus, static_cast<float>(elsewhere + surplus),
          static_cast<float>(elsewhere), static_cast<float>(label_smoothing - elsewhere)};
}

// A row as every lane of its group knows it. A group without one has num_classes = 0.
struct SoftmaxRow {
  const float* logits;
  std::int64_t num_classes;
  std::int64_t label;
  Candidate largest;
  float rest;  // sum of exp(x_j - m) over all classes but that of the maximum m

  __device__ __forceinline__ bool has_label() const { return label >= 0 && label < num_classes; }
};

template <unsigned kLanes>
__device__ __forceinline__ float sum_but_largest(const SoftmaxRow& row) {
  float rest = 0.0F;
  for (std::int64_t j = threadIdx.x % kLanes; j < row.num_classes; j += kLanes) {
    if (j != row.largest.j) rest += expf(row.logits[j] - row.largest.logit);
  }
  rest = warp_reduce<kLanes>(rest, Sum{});
  // A row without finite logits or with a label of no class has no loss and no gradient: NaN.
  if (!row.has_label()) return std::numeric_limits<float>::quiet_NaN();
  return rest + (row.largest.logit - row.largest.logit);
}

// This lane's part of the row's loss. A lane reads no logit but those whose gradient it writes, so
// that it need not wait for others when dlogits is logits.
template <unsigned kLanes>
__device__ __forceinline__ double own_loss(const SoftmaxRow& row, const SoftmaxTargets& targets) {
  const std::int64_t lane = threadIdx.x % kLanes;
  const double largest = row.largest.logit;
  double loss = 0.0;
  if (row.num_classes > 0 && lane == 0) loss = log1pf(row.rest);
  if (row.has_label() && row.label % kLanes == lane) {
    loss += targets.surplus * (largest - row.logits[row.label]);
  }
  if (targets.elsewhere != 0.0) {
    for (std::int64_t j = lane; j < row.num_classes; j += kLanes) {
      loss += targets.elsewhere * (largest - row.logits[j]);
    }
  }
  return loss;
}

template <unsigned kLanes>
__device__ __forceinline__ void write_gradient(const SoftmaxRow& row, const SoftmaxTargets& targets,
                                               float factor, float* dlogits) {
  const float inverse = 1.0F / (1.0F + row.rest);
  for (std::int64_t j = threadIdx.x % kLanes; j < row.num_classes; j += kLanes) {
    const bool is_largest = j == row.largest.j;
    const float prob = inverse * (is_largest ? 1.0F : expf(row.logits[j] - row.largest.logit));
    float difference = prob - targets.elsewhere_f32;
    if (j == row.label) {
      difference = is_largest ? targets.one_minus_at_label_f32 - row.rest * inverse
                              : prob - targets.at_label_f32;
    }
    dlogits[j] = factor * difference;
  }
}

}  // namespace gradflip
