// Batch normalisation, rectifier (batch_norm.h) and max pooling (max_pool2d.h) in one pass each way,
// for pools whose windows do not overlap and are not padded: what is normalised is never stored.
//
//   y[n,p,q,c] = max over the window of rectified(xhat * scale[c] + shift[c])
// x is (N, H, W, C), y (N, P, Q, C), winner and at_winner like y. winner = r*window_w + s of the
// maximum: of equal values the first wins, and a NaN beats every number. at_winner is x at that
// place: with it the sums that gradients need are those of the pooled values alone,
//   batch_norm_sums(norm of P*Q pixels, at_winner, dy)
// Values, winners and, from the same sums, dx are those of the two operations, bit for bit; the sums
// have fewer terms, in another order. Rows may be 0. No pointer may alias another.
#pragma once

#include <cstdint>

#include "kernels/batch_norm.h"
#include "kernels/context.h"
#include "kernels/pool2d.h"

namespace gradflip {

// Windows of at most so many places.
inline constexpr std::int64_t kMaxNormPoolPlaces = 256;

// Overwrites y, winner and at_winner. norm.pixels is H*W.
void batch_norm_pool_forward(Cpu ctx, const BatchNorm& norm, const Pool2dShape& pool,
                             const float* x, float* y, std::uint8_t* winner, float* at_winner);
void batch_norm_pool_forward(Cuda ctx, const BatchNorm& norm, const Pool2dShape& pool,
                             const float* x, float* y, std::uint8_t* winner, float* at_winner);

// As batch_norm_backward, with counts of H*W pixels a row, of a gradient that is dy at the winners
// and 0 elsewhere. sums may be null. Overwrites dx.
void batch_norm_pool_backward(Cpu ctx, const BatchNorm& norm, const BatchNormCounts& counts,
                              const Pool2dShape& pool, const float* x, const float* dy,
                              const std::uint8_t* winner, const float* sums, float* dx);
void batch_norm_pool_backward(Cuda ctx, const BatchNorm& norm, const BatchNormCounts& counts,
                              const Pool2dShape& pool, const float* x, const float* dy,
                              const std::uint8_t* winner, const float* sums, float* dx);

// Throws std::invalid_argument unless both are valid, of the same rows, pixels and channels, and the
// windows are as above.
void require_valid(const BatchNorm& norm, const Pool2dShape& pool);

}  // namespace gradflip
