// Batch normalisation (Ioffe & Szegedy, ICML 2015, algorithm 1), with the rectifier that follows.
//
//   xhat = (x - mean[c]) * inverse_deviation[c]
//   y    = rectified(xhat * scale[c] + shift[c])
// x is (rows, pixels, C), dense f32; every row uses the moments, scale and shift of its group
// (row_groups.h): those of one batch, of a domain in it (Li et al., "Revisiting Batch Normalization
// for Practical Domain Adaptation", 2016; Chang et al., "Domain-Specific Batch Normalization",
// CVPR 2019), or running ones. Rows may be 0. The rectifier is the identity by default.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/rectifier.h"
#include "kernels/row_groups.h"
#include "kernels/write.h"

namespace gradflip {

struct BatchNorm {
  RowGroups groups;  // of the rows of x
  std::int64_t pixels = 1, C = 0;
  Rectifier rectifier = kIdentity;
  const float* moments = nullptr;          // (groups, kMoments, C): moments.h
  const float* scale[kMaxRowGroups] = {};  // of each group: (C)
  const float* shift[kMaxRowGroups] = {};
};

// Overwrites y, which may be x.
void batch_norm_forward(Cpu ctx, const BatchNorm& norm, const float* x, float* y);
void batch_norm_forward(Cuda ctx, const BatchNorm& norm, const float* x, float* y);

// What the gradients need of the batch: sums[group,0,c] (+)= sum of g, sums[group,1,c] (+)= sum of
// g * xhat, with g = dy behind the rectifier. sums: (groups, 2, C), which overlaps nothing. They
// are the gradients of shift and scale. Scratch: batch_norm_workspace_bytes, 64-byte aligned; no
// more for fewer rows.
std::int64_t batch_norm_workspace_bytes(Cpu ctx, std::int64_t rows, std::int64_t C);
std::int64_t batch_norm_workspace_bytes(Cuda ctx, std::int64_t rows, std::int64_t C);
void batch_norm_sums(Cpu ctx, const BatchNorm& norm, const float* x, const float* dy, Write write,
                     float* sums, void* workspace);
void batch_norm_sums(Cuda ctx, const BatchNorm& norm, const float* x, const float* dy, Write write,
                     float* sums, void* workspace);

// The gradient of x, where the moments are those of the batch, and so depend on it:
//   dx = scale * inverse_deviation * (g - sums[0] / n - xhat * sums[1] / n)
// n: the values of each channel that the group has in the whole batch, of which x may be a part.
// sums null: the moments are constants, and what is subtracted is left out. Overwrites dx, which
// may be dy.
struct BatchNormCounts {
  std::int64_t of[kMaxRowGroups] = {};
};
void batch_norm_backward(Cpu ctx, const BatchNorm& norm, const BatchNormCounts& counts,
                         const float* x, const float* dy, const float* sums, float* dx);
void batch_norm_backward(Cuda ctx, const BatchNorm& norm, const BatchNormCounts& counts,
                         const float* x, const float* dy, const float* sums, float* dx);

// dscale[c], dshift[c] = the sums of those groups that share them: group 0's first, then up.
// shared[i]: whether group i does. sums: (groups, 2, C). Overwrites.
struct SharedBy {
  bool group[kMaxRowGroups] = {};
};
void batch_norm_parameters(Cpu ctx, int groups, const SharedBy& shared, std::int64_t C,
                           const float* sums, float* dscale, float* dshift);
void batch_norm_parameters(Cuda ctx, int groups, const SharedBy& shared, std::int64_t C,
                           const float* sums, float* dscale, float* dshift);

// A layer's weights with the normalisation of its outputs folded in, for moments that are known: with
// a[k] = scale[k] * inverse_deviation[k],
//   folded[o,k,i] = weight[o,k,i] * a[k],  bias[k] = shift[k] - mean[k] * a[k]
// weight: (outer, K, inner): filters RSCK are (R*S*C, K, 1), matrices (1, out, in). moments: (1,
// kMoments, K). Overwrites; folded may be weight.
struct FoldShape {
  std::int64_t outer = 1, K = 0, inner = 1;
};
void fold_batch_norm(Cpu ctx, const FoldShape& shape, const float* weight, const float* moments,
                     const float* scale, const float* shift, float* folded, float* bias);
void fold_batch_norm(Cuda ctx, const FoldShape& shape, const float* weight, const float* moments,
                     const float* scale, const float* shift, float* folded, float* bias);

// Throws std::invalid_argument unless the groups are valid, and pixels and C positive.
void require_valid(const BatchNorm& norm);

}  // namespace gradflip
