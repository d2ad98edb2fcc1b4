// The head of a training step in one launch: pictures sampled, read as bytes, normalised, convolved
// and pooled; beside that labels, schedules, and the pictures as floats for the filter's gradient.
//
// The plain case goes to sampled_conv_block_resident.cu; this is what computes all others.
//
// Decomposition  conv_block's tiles (conv_block.cu). A block first finds out which pictures its
//                tile touches, few of them, one thread each, and keeps their addresses in shared
//                memory; its loader reads bytes there (tile_sampled.cuh). Further blocks do the
//                rest, one picture each, while the tiles are computed.
// Cost           2 * N*P*Q*K * R*S*C operations; memory sees the bytes, the filter, 5 bytes per
//                pooled element, and x where it is wanted. The paper's first layer at batch 128:
//                0.35 GFLOP and, half of the pictures grey, 0.2 MB of bytes, 3.0 MB of outputs,
//                1.2 MB of x. Gone are eight launches, and x's way back from memory. Sampling puts
//                a chain of some 90 Philox rounds in front of every block, under 1 us (on paper).
// Occupancy      sm_90a (ptxas), blocks of 128 threads, 28x28x3 -> 32 filters, f32 / tf32 / bf16:
//                127 / 139 / 123 registers, 25 to 30 KB of shared memory, 4 / 3 / 4 blocks.
// Numerics       those of gather.cu and conv_block.cu; f32 sums in the order of taps, so the bits
//                of the kernels that this one stands for, unless several slices share a long sum.
#include <algorithm>

#include "kernels/conv_block/cuda/conv_block_pooling.cuh"
#include "kernels/conv_block/cuda/conv_block_positions.cuh"
#include "kernels/conv_block/cuda/conv_block_tiles.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_gemm.cuh"
#include "kernels/sampled_conv_block.h"
#include "kernels/sampled_conv_block/sampled_conv_block_resident.h"
#include "kernels/sampled_conv_block/sampled_head.cuh"
#include "kernels/sampled_conv_block/tile_sampled.cuh"

namespace gradflip {
namespace {

// Block `block` of those that do not convolve.
template <int kThreads>
__device__ __forceinline__ void beside(const Head& head, const Divisor& channels, unsigned block) {
  const int thread = static_cast<int>(threadIdx.x);
  // Another warp than the one that samples.
  if (block == 0) evaluate_schedules(head, thread - kWarpLanes);
  if (head.x == nullptr) {
    const std::int64_t row = std::int64_t{block} * kThreads + thread;
    if (row >= head.rows) return;
    const Segment segment = head.segment_of(row);
    if (segment.sampled.labels != nullptr) write_label(segment, row, head.index_of(segment, row));
    return;
  }
  const std::int64_t row = block;
  if (row >= head.rows) return;
  if (thread == 0) {
    const Segment segment = head.segment_of(row);
    const std::int64_t index = head.index_of(segment, row);
    sampled_block().pictures[0] = head.picture(segment, index);
    write_label(segment, row, index);
  }
  __syncthreads();
  const SampledPicture from = sampled_block().pictures[0];
  const std::int64_t size = head.pixels * head.channels;
  float* to = head.x + row * size;
#pragma unroll 4
  for (std::int64_t i = thread; i < size; i += kThreads) {
    const Quotient pixel = channels.divide(i);
    const float byte = from.bytes[from.replicated ? pixel.quotient : i];
    to[i] = (byte - head.mean[pixel.remainder]) * head.scale[pixel.remainder];
  }
}

template <int kWidth>
using Patches = SampledPatchLoader<kWidth, TiledPositions>;

template <typename Shape, int kWidth>
__global__ void __launch_bounds__(Shape::kThreads, kResidentBlocks)
    sampled_conv_block_kernel(Patches<kWidth> patches, PaddedFilterLoader filter, Pooling pooling,
                              Head head) {
  using Product = TileProduct<Shape, Patches<kWidth>, PaddedFilterLoader>;
  GRADFLIP_SHARED(float4, shared, [Product::kSharedVectors]);
  if (blockIdx.x >= head.tiles) {
    return beside<Shape::kThreads>(head, patches.runs.C, blockIdx.x - head.tiles);
  }
  // A tile's windows are neighbours: they are in one picture or in a few that follow each other.
  static_assert(Shape::BM <= Shape::kThreads);
  SampledBlock& block = sampled_block();
  const auto tiles_n = static_cast<unsigned>(tiles_of(pooling.K, Shape::BN));
  const std::int64_t window = std::int64_t{blockIdx.x / tiles_n} * patches.positions.windows;
  const std::int64_t picture_windows = patches.positions.PP.value() * patches.positions.PQ.value();
  const std::int64_t first = window / picture_windows;
  const std::int64_t end = min(window + patches.positions.windows, pooling.windows);
  const std::int64_t row = first + threadIdx.x;
  if (row * picture_windows < end) {
    const Segment segment = head.segment_of(row);
    block.pictures[threadIdx.x] = head.picture(segment, head.index_of(segment, row));
  }
  for (int i = static_cast<int>(threadIdx.x); i < patches.runs.padded.value();
       i += Shape::kThreads) {
    const int c = i % head.channels;
    block.norms[i] = {head.mean[c], head.scale[c]};
  }
  if (threadIdx.x == 0) block.first_picture = first;
  __syncthreads();
  convolve_and_pool<Shape, Product>(shared, patches, filter, pooling);
}

// Blocks for what is left beside the convolution.
std::int64_t blocks_beside(const SampledConvBlock& block, std::int64_t threads) {
  const bool labels = std::any_of(block.segments.begin(), block.segments.end(),
                                  [](const SampledSegment& s) { return s.labels != nullptr; });
  std::int64_t blocks = 0;
  if (block.x != nullptr) {
    blocks = block.shape.conv.N;
  } else if (labels) {
    blocks = tiles_of(block.shape.conv.N, threads);
  }
  return block.schedules.empty() ? blocks : std::max<std::int64_t>(blocks, 1);
}

template <typename Shape, int kWidth>
void launch_forward(Cuda ctx, const SampledConvBlock& block) {
  const Conv2dShape& conv = block.shape.conv;
  const auto places = static_cast<int>(block.shape.pool_h * block.shape.pool_w);
  const auto chunks = static_cast<int>(tiles_of(places, Shape::BM));
  const int windows = std::max(1, Shape::BM / places);
  const TiledPositions positions(block.shape, chunks * Shape::BM, windows);
  const Patches<kWidth> patches(conv, positions);
  const PaddedFilterLoader filter(conv, block.filter);
  const Pooling pooling{block.bias, block.pooled, block.winner, positions.count,
                        conv.K,     places,       chunks};
  const std::int64_t tiles = tiles_of(positions.count, windows) * tiles_of(conv.K, Shape::BN);
  const std::int64_t blocks = tiles + blocks_beside(block, Shape::kThreads);
  if (blocks == 0) return;
  Head head = head_of(block);
  head.tiles = static_cast<unsigned>(tiles);
  launch(sampled_conv_block_kernel<Shape, kWidth>, dim3(static_cast<unsigned>(blocks)),
         dim3(Shape::kThreads), 0, ctx, patches, filter, pooling, head);
}

// Those of conv_block.cu, but for combinations that hardly occur in a first layer.
template <Math kMath, int BN>
using Wide = Tile<kMath, 128, BN, 4, 1>;
constexpr std::int64_t kManyTaps = 256;

// Whether every picture is whole words.
bool words_fit(const SampledConvBlock& block) {
  const Conv2dShape& conv = block.shape.conv;
  return std::all_of(
      block.segments.begin(), block.segments.end(), [&](const SampledSegment& segment) {
        return segment.stored_channels != conv.C ||
               (conv.H * conv.W * conv.C % 4 == 0 &&
                reinterpret_cast<std::uintptr_t>(segment.images) % sizeof(std::uint32_t) == 0);
      });
}

template <Math kMath>
void launch_forward(Cuda ctx, const SampledConvBlock& block) {
  const Conv2dShape& conv = block.shape.conv;
  if (conv.R * conv.S * conv.C >= kManyTaps) {
    return words_fit(block) ? launch_forward<Sliced<kMath, 32>, 4>(ctx, block)
                            : launch_forward<Sliced<kMath, 32>, 1>(ctx, block);
  }
  if (!words_fit(block)) return launch_forward<Wide<kMath, 32>, 1>(ctx, block);
  conv.K <= 32 ? launch_forward<Wide<kMath, 32>, 4>(ctx, block)
               : launch_forward<Wide<kMath, 64>, 4>(ctx, block);
}

}  // namespace

std::int64_t sampled_conv_block_workspace_bytes(Cuda /*ctx*/, const ConvBlockShape& shape) {
  require_valid(shape);
  return 0;
}

void sampled_conv_block_forward(Cuda ctx, const SampledConvBlock& block, void* /*workspace*/) {
  require_valid(block);
  require_extents(block.shape.conv);
  if (sampled_conv_block_resident_pays(ctx, block)) return sampled_conv_block_resident(ctx, block);
  with_math(block.shape.conv.math, [&]<Math kMath>() { launch_forward<kMath>(ctx, block); });
}

}  // namespace gradflip
