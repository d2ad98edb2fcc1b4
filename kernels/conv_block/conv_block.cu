// conv2d + bias + relu + max_pool2d in one launch, forward.
//
//   y[n,p,q,k] = max over the pool window of max(0, conv2d(x, filter)[..] + bias[k]), and its place
//
// The plain case of many channels goes to conv_block_forward_resident.cu; this computes all others.
//
// Decomposition  an implicit matrix product, (positions) x (filters) over taps, on the engine of
//                tile_gemm.cuh. Positions are numbered window by window, so that a tile holds whole
//                windows; the dense output exists only as that tile, in shared memory, where one
//                thread per (window, filter) finds the winner. A window of more positions than a
//                tile has rows takes its tile several times and carries the best so far along.
// Cost           2 * N*P*Q*K * R*S*C operations; memory sees x, the filter, and 5 bytes per pooled
//                element. Convolution, bias, relu and pool apart move 16 bytes more per position
//                and filter.
// Occupancy      sm_90a (ptxas), blocks of 128 threads, the paper's layers, f32 / tf32 / bf16:
//                28x28x3 -> 32 filters  151 / 133 / 122 registers  3 / 3 / 4 blocks
//                12x12x32 -> 48         157 / 182 / 166 registers  3 / 2 / 3 blocks
//                of 20 to 29 KB shared memory, so registers are the limit.
// Numerics       f32 sums over taps in an order that depends on the geometry only: an image's
//                result does not depend on the batch around it. Operands are rounded as the mode
//                allows; bias and comparison are f32.
#include <algorithm>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cuda/conv_block_pooling.cuh"
#include "kernels/conv_block/cuda/conv_block_positions.cuh"
#include "kernels/conv_block/cuda/conv_block_resident.h"
#include "kernels/conv_block/cuda/conv_block_tiles.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_conv.cuh"
#include "kernels/cuda/tile_dense.cuh"
#include "kernels/cuda/tile_gemm.cuh"

namespace gradflip {
namespace {

template <int kWidth>
using Patches = PatchLoader<Along::kK, kWidth, TiledPositions>;

template <typename Shape, int kWidth>
__global__ void __launch_bounds__(Shape::kThreads, kResidentBlocks)
    conv_block_forward_kernel(Patches<kWidth> patches, DenseLoader<Along::kOuter> filter,
                              Pooling pooling) {
  using Product = TileProduct<Shape, Patches<kWidth>, DenseLoader<Along::kOuter>>;
  GRADFLIP_SHARED(float4, shared, [Product::kSharedVectors]);
  convolve_and_pool<Shape, Product>(shared, patches, filter, pooling);
}

// Few taps, hence few steps: nothing to split, and four warps share what they load of the filter.
template <Math kMath, int BN>
using Wide = Tile<kMath, 128, BN, 4, 1>;
constexpr std::int64_t kManyTaps = 256;

struct Call {
  const ConvBlockShape& shape;
  const float* x;
  const float* filter;
  const float* bias;
  float* pooled;
  std::uint8_t* winner;
};

template <typename Shape, int kWidth>
void launch_forward(Cuda ctx, const Call& call) {
  const Conv2dShape& conv = call.shape.conv;
  const auto places = static_cast<int>(call.shape.pool_h * call.shape.pool_w);
  const auto chunks = static_cast<int>(tiles_of(places, Shape::BM));
  const int windows = std::max(1, Shape::BM / places);
  const TiledPositions positions(call.shape, chunks * Shape::BM, windows);
  const Patches<kWidth> patches(conv, positions, call.x);
  const DenseLoader<Along::kOuter> filter(call.filter, patches.taps, conv.K);
  const Pooling pooling{call.bias, call.pooled, call.winner, positions.count,
                        conv.K,    places,      chunks};
  const std::int64_t blocks = tiles_of(positions.count, windows) * tiles_of(conv.K, Shape::BN);
  launch(conv_block_forward_kernel<Shape, kWidth>, dim3(static_cast<unsigned>(blocks)),
         dim3(Shape::kThreads), 0, ctx, patches, filter, pooling);
}

template <Math kMath>
void launch_forward(Cuda ctx, const Call& call) {
  const Conv2dShape& conv = call.shape.conv;
  const bool vectors = vectors_fit(conv.C, call.x);
  if (conv.R * conv.S * conv.C < kManyTaps) {
    if (conv.K <= 32) {
      return vectors ? launch_forward<Wide<kMath, 32>, 4>(ctx, call)
                     : launch_forward<Wide<kMath, 32>, 1>(ctx, call);
    }
    return vectors ? launch_forward<Wide<kMath, 64>, 4>(ctx, call)
                   : launch_forward<Wide<kMath, 64>, 1>(ctx, call);
  }
  if (!vectors) return launch_forward<Sliced<kMath, 32>, 1>(ctx, call);
  if (conv.K <= 32) return launch_forward<Sliced<kMath, 32>, 4>(ctx, call);
  // The width that computes the fewest columns for nothing, of equals the larger.
  if (round_up(conv.K, 48) < round_up(conv.K, 64)) {
    return launch_forward<Sliced<kMath, 48>, 4>(ctx, call);
  }
  launch_forward<Sliced<kMath, 64>, 4>(ctx, call);
}

}  // namespace

void conv_block_forward(Cuda ctx, const ConvBlockShape& shape, const float* x, const float* filter,
                        const float* bias, float* pooled, std::uint8_t* winner,
                        void* /*workspace*/) {
  require_valid(shape);
  require_extents(shape.conv);
  if (shape.conv.N == 0) return;
  if (conv_block_forward_resident_pays(ctx, shape, x, filter)) {
    return conv_block_forward_resident(ctx, shape, x, filter, bias, pooled, winner);
  }
  const Call call{shape, x, filter, bias, pooled, winner};
  with_math(shape.conv.math, [&]<Math kMath>() { launch_forward<kMath>(ctx, call); });
}

}  // namespace gradflip
