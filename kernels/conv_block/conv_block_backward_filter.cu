// The gradients of conv_block with respect to its filter and bias: one launch where the caller has
// tickets, else two.
//
//   dfilter[r,s,c,k] (+)= sum over n,p,q of x[n,h,w,c] * dy[n,p,q,k]
//   dbias[k]         (+)= sum over n,p,q of dy[n,p,q,k]
//   dy[n,p,q,k] = dpooled of the window around (p,q) if its winner is (p,q), else 0
// The plain case goes to conv_block_backward_filter_resident.cu; this is what computes all others.
//
// Decomposition  an implicit matrix product, (taps) x (filters) over positions, on the engine of
//                tile_gemm.cuh; dy is made while it is loaded. Below the last tap stands a row of
//                ones: its sums are dbias, for a row in thirty-two. The result is small and the sum
//                long, so positions are split over blocks: each writes its share of every sum to
//                the workspace, parts of (R*S*C + 1, K). The last block of a tile adds its parts
//                (finish_parts.cuh), or without tickets a second kernel does.
// Cost           2 * N*P*Q * (R*S*C + 1) * K operations, dense, as in conv_block_backward_data.cu.
//                L2 delivers 5 bytes per pooled element for every 32 taps, x for every 32 or 48
//                filters, and 8 bytes per element of each part.
// Occupancy      sm_90a (ptxas), blocks of 128 threads, the paper's layers, f32 / tf32 / bf16:
//                28x28x3 -> 32 filters  181 / 165 / 160 registers  2 / 3 / 3 blocks
//                12x12x32 -> 48         191 / 184 / 177 registers  2 / 2 / 2 blocks
// Numerics       f32 sums; how positions are split depends on the shape and on how many
//                multiprocessors there are, and the order of parts is fixed, so a run repeats bit
//                for bit. Operands are rounded as the mode allows: dy in dbias, too.
#include <algorithm>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cuda/conv_block_gradient.cuh"
#include "kernels/conv_block/cuda/conv_block_positions.cuh"
#include "kernels/conv_block/cuda/conv_block_resident.h"
#include "kernels/conv_block/cuda/conv_block_tiles.cuh"
#include "kernels/conv_block/cuda/filter_gradient_parts.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_conv.cuh"
#include "kernels/cuda/tile_gemm.cuh"

namespace gradflip {
namespace {

// How positions are split: part i takes [i, i + 1) * positions.
struct Split {
  std::int64_t parts, positions;
};

std::int64_t positions_of(const ConvBlockShape& shape) {
  return shape.conv.N * shape.PP() * shape.PQ() * shape.pool_h * shape.pool_w;
}

// Enough for two blocks on every multiprocessor, where that leaves a part its share of work: more
// parts are more sums to write and read. Grows with N, never beyond a bound.
std::int64_t most_parts(Cuda ctx, const ConvBlockShape& shape) {
  constexpr std::int64_t kFewestPositions = 256;
  const Conv2dShape& conv = shape.conv;
  // Of one size whatever tile is launched: tiles of another width must give the same bits.
  const std::int64_t tiles = tiles_of(conv.R * conv.S * conv.C + 1, 32) * tiles_of(conv.K, 48);
  return std::min(tiles_of(std::int64_t{2} * ctx.gpu->multiprocessors, tiles),
                  tiles_of(positions_of(shape), kFewestPositions));
}

Split split_of(Cuda ctx, const ConvBlockShape& shape) {
  // In whole steps of every tile below: four slices of BK.
  constexpr std::int64_t kRound = 64;
  const std::int64_t all = positions_of(shape);
  if (all == 0) return {0, 0};
  const std::int64_t positions = round_up(tiles_of(all, most_parts(ctx, shape)), kRound);
  return {tiles_of(all, positions), positions};
}

template <typename Shape, int kWidthX, int kWidthGradient, typename Pool>
__global__ void __launch_bounds__(Shape::kThreads, kResidentBlocks)
    conv_block_backward_filter_kernel(PatchesAndOnes<kWidthX, Pool> patches,
                                      GradientByPositionLoader<kWidthGradient, Pool> gradients,
                                      std::int64_t positions, Finish finish) {
  using Product = TileProduct<Shape, PatchesAndOnes<kWidthX, Pool>,
                              GradientByPositionLoader<kWidthGradient, Pool>>;
  GRADFLIP_SHARED(float4, shared, [Product::kSharedVectors]);
  GRADFLIP_SHARED(unsigned, last, [1]);
  const std::int64_t rows = patches.taps + 1;
  const std::int64_t K = gradients.K;
  const auto tiles_m = static_cast<unsigned>(tiles_of(rows, Shape::BM));
  const auto tiles_n = static_cast<unsigned>(tiles_of(K, Shape::BN));
  const std::int64_t part = blockIdx.x / (tiles_m * tiles_n);
  const std::int64_t m_begin = std::int64_t{blockIdx.x / tiles_n % tiles_m} * Shape::BM;
  const std::int64_t n_begin = std::int64_t{blockIdx.x % tiles_n} * Shape::BN;

  Product product(shared);
  product.add(patches, gradients, m_begin, n_begin, part * positions, (part + 1) * positions);
  float* to = finish.parts + part * rows * K;
  product.for_each([&](int m, int n, float sum) {
    if (m_begin + m >= rows || n_begin + n >= K) return;
    to[(m_begin + m) * K + n_begin + n] = sum;
  });
  if (finish.groups.count == 0) return;
  const unsigned tile = blockIdx.x % (tiles_m * tiles_n);
  std::uint32_t* tickets = finish.watch.state->tickets + tile * (finish.groups.count + 1);
  finish_parts(finish.groups, static_cast<int>(part), tickets, last,
               [&](int first, int step, int count, bool is_final) {
                 constexpr int kVectors = Shape::BM * Shape::BN / kWidthGradient;
                 add_parts<Shape::kThreads, kVectors, kWidthGradient>(
                     finish, rows * K, first, step, count, is_final, [&](int i) {
                       const std::int64_t m = m_begin + i * kWidthGradient / Shape::BN;
                       const std::int64_t n = n_begin + i * kWidthGradient % Shape::BN;
                       return m < rows && n < K ? m * K + n : -1;
                     });
               });
}

struct Call {
  const ConvBlockShape& shape;
  const float* x;
  const float* dpooled;
  const std::uint8_t* winner;
  Split split;
  Finish finish;
};

template <typename Shape, int kWidthX, int kWidthGradient, typename Pool>
void launch_parts(Cuda ctx, Call& call) {
  const Conv2dShape& conv = call.shape.conv;
  const WindowPositions<Pool> positions(call.shape);
  const PatchesAndOnes<kWidthX, Pool> patches(conv, positions, call.x);
  const GradientByPositionLoader<kWidthGradient, Pool> gradients(call.shape, call.dpooled,
                                                                 call.winner);
  const std::int64_t tiles = tiles_of(patches.taps + 1, Shape::BM) * tiles_of(conv.K, Shape::BN);
  const PartGroups groups = part_groups(call.split.parts);
  if (call.finish.watch.state != nullptr && tickets_suffice(groups, tiles)) {
    call.finish.groups = groups;
  }
  launch(conv_block_backward_filter_kernel<Shape, kWidthX, kWidthGradient, Pool>,
         dim3(static_cast<unsigned>(call.split.parts * tiles)), dim3(Shape::kThreads), 0, ctx,
         patches, gradients, call.split.positions, call.finish);
}

template <Math kMath>
void launch_parts(Cuda ctx, Call& call) {
  const Conv2dShape& conv = call.shape.conv;
  const bool vectors_x = vectors_fit(conv.C, call.x);
  const bool vectors_gradient = vectors_fit(conv.K, call.dpooled, call.winner);
  if (!vectors_gradient) return launch_parts<Sliced<kMath, 32>, 1, 1, AnyPool>(ctx, call);
  if (!is_plain(call.shape)) {
    return vectors_x ? launch_parts<Sliced<kMath, 32>, 4, 4, AnyPool>(ctx, call)
                     : launch_parts<Sliced<kMath, 32>, 1, 4, AnyPool>(ctx, call);
  }
  // The width that computes the fewest columns for nothing, of equals the larger.
  if (round_up(conv.K, 48) <= round_up(conv.K, 32)) {
    constexpr int kWidest = large_tile<kMath>(48);
    return vectors_x ? launch_parts<Sliced<kMath, kWidest>, 4, 4, PlainPool>(ctx, call)
                     : launch_parts<Sliced<kMath, kWidest>, 1, 4, PlainPool>(ctx, call);
  }
  vectors_x ? launch_parts<Sliced<kMath, 32>, 4, 4, PlainPool>(ctx, call)
            : launch_parts<Sliced<kMath, 32>, 1, 4, PlainPool>(ctx, call);
}

}  // namespace

std::int64_t conv_block_workspace_bytes(Cuda ctx, const ConvBlockShape& shape) {
  require_valid(shape);
  const std::int64_t parts =
      std::max(most_parts(ctx, shape), conv_block_backward_filter_resident_parts(ctx, shape));
  return parts * part_floats(shape.conv) * static_cast<std::int64_t>(sizeof(float));
}

void conv_block_backward_filter(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                const float* dpooled, const std::uint8_t* winner, Write write,
                                float* dfilter, float* dbias, void* workspace,
                                const GradientWatch& watch) {
  require_valid(shape);
  require_extents(shape.conv);
  const Conv2dShape& conv = shape.conv;
  if (conv_block_backward_filter_resident_pays(ctx, shape, x, dpooled, winner)) {
    return conv_block_backward_filter_resident(ctx, shape, x, dpooled, winner, write, dfilter,
                                               dbias, static_cast<float*>(workspace), watch);
  }
  const SumTargets targets{dfilter, part_floats(conv) - conv.K, dbias, conv.K};
  Call call{shape,
            x,
            dpooled,
            winner,
            split_of(ctx, shape),
            {static_cast<float*>(workspace), targets, write, watch, {}}};
  if (call.split.parts > 0) {
    with_math(conv.math, [&]<Math kMath>() { launch_parts<kMath>(ctx, call); });
  }
  if (call.finish.groups.count > 0) return;
  sum_partials(ctx, call.finish.parts, static_cast<int>(call.split.parts), targets, Scale{}, write,
               watch);
}

}  // namespace gradflip
