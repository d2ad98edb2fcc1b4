// Tiles of the three products of conv_block.
#pragma once

#include "kernels/conv_block.h"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

// Long sums: 800 taps forward in the paper's second layer, thousands of positions in a filter's
// gradient. Such a block's time is waiting for memory once a step, so its warps split the steps
// among them and do not wait; 32 rows give enough blocks at batch 64.
template <Math kMath, int BN>
using Sliced = Tile<kMath, 32, BN, 1, 1, 4>;

// Blocks per multiprocessor that the compiler has to make room for. Left to itself it aims at four,
// and spills for it.
inline constexpr int kResidentBlocks = 2;

}  // namespace gradflip
