// What the shards of a cut batch added up apart, added up: the end of every sum over the batch.
//
//   y[i] = the balanced tree over the rows x[row * row_stride + i]: (0 + 1) + (2 + 3), and so on
//
// A left branch is the largest power of two that leaves something for the right one, so the order
// depends on the number of rows alone. No overload for CUDA: a GPU's batches are whole.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

inline constexpr std::int64_t kMaxShardRows = 16;

// 1 to kMaxShardRows rows of `size` elements; size may be 0. Overwrites y, which may be the first
// row. Returns the index of the first element of y that is not finite, or `size`.
std::int64_t add_shards(Cpu ctx, std::int64_t rows, std::int64_t row_stride, std::int64_t size,
                        const float* x, float* y);

}  // namespace gradflip
