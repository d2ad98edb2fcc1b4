// Mean and variance of each channel over a batch, and what is kept of them from batch to batch
// (Ioffe & Szegedy, "Batch Normalization", ICML 2015).
//
// In two steps, so that no sum over the batch is of values far from their mean: what a row's values
// are, and how rows differ (Chan, Golub & LeVeque, "Algorithms for computing the sample variance",
// 1983). Within a row sums are of differences from its first value. A mean of 1e3 beside a
// deviation of 1 costs no more than the rounding of the values themselves.
//
// x is (rows, pixels, C), dense f32: pictures NHWC, or rows of features with pixels = 1. Outputs
// are overwritten and overlap no input.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/context.h"
#include "kernels/row_groups.h"
#include "kernels/write.h"

namespace gradflip {

// of_rows[i,0,c] = mean over pixels of x[i,:,c]; of_rows[i,1,c] = sum of (x[i,:,c] - that mean)^2.
// rows may be 0; pixels and C are positive. A row's result depends on that row alone.
void row_moments(Cpu ctx, std::int64_t rows, std::int64_t pixels, std::int64_t C, const float* x,
                 float* of_rows);
void row_moments(Cuda ctx, std::int64_t rows, std::int64_t pixels, std::int64_t C, const float* x,
                 float* of_rows);

// What there is of each channel of a group: mean, variance (biased, divided by the count), and
// 1 / sqrt(variance + epsilon).
inline constexpr std::int64_t kMoments = 3;

// From rows to groups of them. of_rows: (groups.rows(), 2, C); moments: (groups, kMoments, C). A
// group without rows has mean and variance 0.
void combine_moments(Cpu ctx, const RowGroups& groups, std::int64_t pixels, std::int64_t C,
                     float epsilon, const float* of_rows, float* moments);
void combine_moments(Cuda ctx, const RowGroups& groups, std::int64_t pixels, std::int64_t C,
                     float epsilon, const float* of_rows, float* moments);

// From running statistics: moments (1, kMoments, C) = mean, variance, 1 / sqrt(variance + epsilon).
void known_moments(Cpu ctx, std::int64_t C, float epsilon, const float* mean, const float* variance,
                   float* moments);
void known_moments(Cuda ctx, std::int64_t C, float epsilon, const float* mean,
                   const float* variance, float* moments);

// One group's moments, folded into running statistics of C channels:
//   mean     += times * momentum * (moment - mean)
//   variance += times * momentum * (moment * correction - variance)
// correction: n / (n - 1) for n values, as PyTorch keeps the unbiased variance.
struct RunningMoments {
  const float* moments = nullptr;  // of the group: (kMoments, C)
  float* mean = nullptr;           // (C), updated in place
  float* variance = nullptr;
  std::int64_t C = 0;
  float correction = 1.0F;
  float momentum = 0.1F;  // times the call's
};

inline constexpr std::size_t kMaxRunningMoments = 16;

// All of them, in order: several may be folded into the same statistics. Where *frozen is not zero
// nothing is written; frozen may be null. Throws std::invalid_argument for more than
// kMaxRunningMoments.
void update_running(Cpu ctx, std::span<const RunningMoments> running, Scale times,
                    const std::int32_t* frozen);
void update_running(Cuda ctx, std::span<const RunningMoments> running, Scale times,
                    const std::int32_t* frozen);

// Throws std::invalid_argument unless rows >= 0, pixels > 0 and C > 0.
void require_valid_moments(std::int64_t rows, std::int64_t pixels, std::int64_t C);

// For both backends: one element of what the functions above compute.
GRADFLIP_HOST_DEVICE inline float folded(float momentum, float running, float moment) {
  return running + momentum * (moment - running);
}

}  // namespace gradflip
