// The head of a training step in one launch, on tensor cores, for the plain case: the filter stays
// in registers and the picture, normalised, in shared memory, so that the loop waits for nothing.
// Read sampled_conv_block.cu first: the same by the engine, and the reference in tests.
//
// Decomposition  a block computes a piece of a picture, some of its windows, by 32 filters. One
//                thread samples the picture; all of them normalise the rows under the piece into a
//                slab, and write the piece's share of x. A step is 16 neighbouring elements of a
//                row of the filter, S*C of them (15 of the paper's 5 x 5 taps of 3 channels), and a
//                warp has all of at most five in registers. It takes every fourth fragment of four
//                windows, through all steps and to the end: where the places of a window compete,
//                lanes exchange them. Three blocks a multiprocessor overlap one's reads with the
//                others' products; large batches have one piece a picture, 128 pictures three.
// Cost           2 * N*P*Q*K * R*S*C operations, padded to whole steps; memory sees the bytes, the
//                filter, 5 bytes per pooled element, and x where it is wanted. The paper's first
//                layer, per picture, tf32 / bf16: 1,440 / 720 mma, 1,440 passes over shared memory;
//                mma.sync takes 2,300 / 1,150 cycles. Before that come the samples' chain of some
//                90 Philox rounds, under 1 us, and the way of the bytes from memory (on paper).
// Issue slots    sm_90a (SASS), tf32 / bf16: 429 / 424 instructions of a warp for a fragment with
//                its 40 / 20 mma and its pool. Nine fragments a scheduler: 3,900 / 3,800 cycles,
//                more than mma.sync takes. It is what the loop waits for.
// Occupancy      sm_90a (ptxas), blocks of 128 threads, tf32 / bf16: 138 / 106 registers, 3 / 4
//                blocks; nothing spills. 9 to 17 KB of shared memory.
// Numerics       x as gather.cu has it; operands rounded to tf32 or bf16, f32 sums in the order of
//                taps, whatever piece and batch a picture is in. Bias and comparison are f32.
// Banks          no conflicts. Bytes are read singly, 32 neighbours a request, which begin and end
//                within sectors.
#include <algorithm>
#include <cstdint>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cuda/conv_block_pooling.cuh"
#include "kernels/conv_block/cuda/conv_block_positions.cuh"
#include "kernels/conv_block/cuda/resident_tile.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/pipelined_tile.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_mma.cuh"
#include "kernels/require.h"
#include "kernels/sampled_conv_block/resident_sampled.cuh"
#include "kernels/sampled_conv_block/sampled_conv_block_resident.h"
#include "kernels/sampled_conv_block/sampled_head.cuh"

namespace gradflip {
namespace {

using namespace resident_sampled;

// By value: a choice between two that are in registers.
__device__ __forceinline__ Champion choose(bool second, const Champion& a, const Champion& b) {
  return {second ? b.value : a.value, second ? b.place : a.place};
}

// The winners of a fragment's four windows. Its rows are numbered window by window, so the four
// places of a window are in lanes that differ in bits 2 and 3; each of two exchanges settles one
// bit and halves what a lane has. A lane ends with four neighbouring filters of one window.
__device__ __forceinline__ void pool(const Forward& args, const BlockPlace& block, int fragment,
                                     const float (&y)[kColumns][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const bool odd = (lane & 4) != 0;
  const bool high = (lane & 8) != 0;
  Champion rows[kColumns][2];  // the fragment's upper rows in even places, its lower in odd ones
#pragma unroll
  for (int j = 0; j < kColumns; ++j) {
#pragma unroll
    for (int column = 0; column < 2; ++column) {
      const float own = odd ? y[j][2 + column] : y[j][column];
      const float other = __shfl_xor_sync(~0U, odd ? y[j][column] : y[j][2 + column], 4);
      rows[j][column] = {odd ? other : own, 0};
      rows[j][column].challenge(odd ? own : other, 1);
    }
  }
  unsigned places = 0;  // of those that go to the other lane
  float values[2][2];
#pragma unroll
  for (int j = 0; j < 2; ++j) {
#pragma unroll
    for (int column = 0; column < 2; ++column) {
      const Champion sent = choose(high, rows[j + 2][column], rows[j][column]);
      values[j][column] = __shfl_xor_sync(~0U, sent.value, 8);
      places |= static_cast<unsigned>(sent.place) << (2 * j + column);
    }
  }
  places = __shfl_xor_sync(~0U, places, 8);
  Champion best[4];
#pragma unroll
  for (int j = 0; j < 2; ++j) {
#pragma unroll
    for (int column = 0; column < 2; ++column) {
      const Champion own = choose(high, rows[j][column], rows[j + 2][column]);
      const Champion other{values[j][column], static_cast<int>(places >> (2 * j + column) & 1U)};
      const Champion second = choose(high, other, own);
      best[2 * column + j] = choose(high, own, other);
      best[2 * column + j].challenge(second.value, 2 + second.place);
    }
  }
  const int window = fragment * kWindows + lane / 16 + (odd ? 2 : 0);
  const int k = block.k + (high ? 16 : 0) + lane % 4 * 4;
  if (window >= args.pooling.windows || k >= args.K) return;
  const std::int64_t at = (block.row * args.pooling.windows + window) * args.K + k;
  *reinterpret_cast<float4*>(args.pooling.pooled + at) =
      make_float4(best[0].pooled(), best[1].pooled(), best[2].pooled(), best[3].pooled());
  *reinterpret_cast<uchar4*>(args.pooling.winner + at) =
      make_uchar4(best[0].winner(), best[1].winner(), best[2].winner(), best[3].winner());
}

// Where a row of a fragment, window by window, begins in the slab.
__device__ __forceinline__ int position(const Forward& args, const BlockPlace& block, int row) {
  // Past the last window there is that one once more.
  const auto last = static_cast<int>(args.pooling.windows) - 1;
  const IntQuotient window = args.PQ.divide_int(min(row / 4, last));
  const int p = 2 * window.quotient - block.first_row + row % 4 / 2;
  const int q = 2 * window.remainder + row % 2;
  return p * static_cast<int>(args.slab_pitch.value()) + q * args.C;
}

template <Math kMath>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    sampled_conv_block_resident_kernel(Forward args, Head head) {
  auto* slab = dynamic_shared<float>();
  const BlockPlace block(args);
  const int thread = static_cast<int>(threadIdx.x);
  // Another warp than the one that samples.
  if (blockIdx.x == 0) evaluate_schedules(head, thread - kWarpLanes);
  if (thread == 0) {
    const Segment segment = head.segment_of(block.row);
    const std::int64_t index = head.index_of(segment, block.row);
    sampled_block().pictures[0] = head.picture(segment, index);
    if (block.is_first) write_label(segment, block.row, index);
  }
  const FilterFragments<kMath> filter(args, block.k);
  __syncthreads();  // all threads read the picture that thread 0 found
  load_picture<kMath>(args, head, block, slab);
  const int lane = thread % kWarpLanes;
  float bias[kColumns][2];
#pragma unroll
  for (int j = 0; j < kColumns; ++j) {
#pragma unroll
    for (int column = 0; column < 2; ++column) {
      const int k = block.k + j / 2 * 16 + (lane % 4 * 2 + column) * 2 + j % 2;
      bias[j][column] = k < args.K ? args.pooling.bias[k] : 0.0F;
    }
  }
  __syncthreads();  // a fragment is under rows that other threads normalised
#pragma unroll 1
  for (int fragment = block.first_fragment + thread / kWarpLanes; fragment < block.end_fragment;
       fragment += kWarps) {
    const int row = fragment * 16 + lane / 4;
    const float* first = slab + position(args, block, row) + lane % 4;
    const float* second = slab + position(args, block, row + 8) + lane % 4;
    float y[kColumns][4] = {};
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      if (step >= args.steps) break;
      const int at = step / args.row_steps * static_cast<int>(args.slab_pitch.value()) +
                     step % args.row_steps * kDepth;
      filter.multiply(step, first + at, second + at, y);
    }
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) y[j][i] += bias[j][i % 2];
    }
    pool(args, block, fragment, y);
  }
}

constexpr std::int64_t kStaticBytes = sizeof(SampledBlock);

std::int64_t fragments_of(const ConvBlockShape& shape) {
  return tiles_of(shape.PP() * shape.PQ(), kWindows);
}

// Rows of the padded picture under one of so many pieces, at most.
std::int64_t slab_rows(const ConvBlockShape& shape, std::int64_t pieces) {
  const std::int64_t windows = tiles_of(fragments_of(shape), pieces) * kWindows;
  const std::int64_t rows = std::min(shape.PP(), (windows + shape.PQ() - 2) / shape.PQ() + 1);
  return 2 * rows + shape.conv.R - 1;
}

// Floats from one row of the slab to the next: 16 more than a multiple of 32, so that the two rows
// of a window lie in different halves of the banks. Room for the padded taps of the last position.
std::int64_t slab_pitch(const ConvBlockShape& shape) {
  const Conv2dShape& conv = shape.conv;
  const std::int64_t last = (2 * shape.PQ() - 1) * conv.C + round_up(conv.S * conv.C, kDepth);
  return round_up(std::max((conv.W + 2 * conv.pad_w) * conv.C, last) + 16, 32) - 16;
}

std::int64_t shared_bytes(const ConvBlockShape& shape, std::int64_t pieces) {
  return slab_rows(shape, pieces) * slab_pitch(shape) * static_cast<std::int64_t>(sizeof(float));
}

// Blocks that share a picture: as many as make three for every multiprocessor, or more where a
// block would not have room, but leave every warp a fragment. So whether this kernel is chosen does
// not depend on how many pictures there are.
std::int64_t pieces_of(Cuda ctx, const ConvBlockShape& shape) {
  const std::int64_t blocks = std::int64_t{ctx.gpu->multiprocessors} * kBlocksPerMultiprocessor;
  const std::int64_t rows = shape.conv.N * tiles_of(shape.conv.K, kFilters);
  const std::int64_t most = tiles_of(fragments_of(shape), kWarps);
  std::int64_t pieces = std::clamp<std::int64_t>(blocks / std::max<std::int64_t>(rows, 1), 1, most);
  while (pieces < most && shared_bytes(shape, pieces) + kStaticBytes > kMostSharedThatPays) {
    ++pieces;
  }
  return pieces;
}

std::int64_t shared_bytes(Cuda ctx, const ConvBlockShape& shape) {
  return shared_bytes(shape, pieces_of(ctx, shape));
}

}  // namespace

bool sampled_conv_block_resident_can(Cuda ctx, const SampledConvBlock& block) {
  const ConvBlockShape& shape = block.shape;
  const Conv2dShape& conv = shape.conv;
  if (!is_resident_math(conv.math) || !is_plain(shape) || conv.dilation_h != 1 || conv.K % 4 != 0 ||
      conv.R * tiles_of(conv.S * conv.C, kDepth) > kSteps || !are_int_offsets(conv)) {
    return false;
  }
  return has_shared(ctx, shared_bytes(ctx, shape), kStaticBytes) &&
         begins_on(sizeof(float4), block.filter) && begins_on(sizeof(float4), block.pooled) &&
         begins_on(sizeof(uchar4), block.winner);
}

bool sampled_conv_block_resident_pays(Cuda ctx, const SampledConvBlock& block) {
  const Conv2dShape& conv = block.shape.conv;
  const std::int64_t elements = conv.S * conv.C;
  return conv.N > 0 && shared_bytes(ctx, block.shape) + kStaticBytes <= kMostSharedThatPays &&
         round_up(elements, kDepth) * round_up(conv.K, kFilters) <= 2 * elements * conv.K &&
         sampled_conv_block_resident_can(ctx, block);
}

void sampled_conv_block_resident(Cuda ctx, const SampledConvBlock& block) {
  require_valid(block);
  require_extents(block.shape.conv);
  const ConvBlockShape& shape = block.shape;
  const Conv2dShape& conv = shape.conv;
  GRADFLIP_REQUIRE(conv.N > 0 && sampled_conv_block_resident_can(ctx, block),
                   message("sampled_conv_block_resident: N and K are ", conv.N, ", ", conv.K,
                           "; plain pools and vectors of 16 bytes are needed"));
  const auto narrow = [](std::int64_t size) { return static_cast<int>(size); };
  const std::int64_t pieces = pieces_of(ctx, shape);
  const std::int64_t tiles_n = tiles_of(conv.K, kFilters);
  const std::int64_t row_steps = tiles_of(conv.S * conv.C, kDepth);
  const std::int64_t windows = shape.PP() * shape.PQ();
  const Forward forward{.filter = block.filter,
                        .pooling = {block.bias, block.pooled, block.winner, windows, conv.K, 4, 1},
                        .H = narrow(conv.H),
                        .W = narrow(conv.W),
                        .C = narrow(conv.C),
                        .K = narrow(conv.K),
                        .pad_h = narrow(conv.pad_h),
                        .pad_w = narrow(conv.pad_w),
                        .row_elements = narrow(conv.S * conv.C),
                        .row_steps = narrow(row_steps),
                        .steps = narrow(conv.R * row_steps),
                        .fragments = narrow(fragments_of(shape)),
                        .pieces = narrow(pieces),
                        .slab_rows = narrow(slab_rows(shape, pieces)),
                        .blocks_of_row = Divisor(pieces * tiles_n),
                        .tiles_n = Divisor(tiles_n),
                        .PQ = Divisor(shape.PQ()),
                        .channels = Divisor(conv.C),
                        .slab_pitch = Divisor(slab_pitch(shape))};
  const std::int64_t blocks = conv.N * pieces * tiles_n;
  const auto bytes = static_cast<std::size_t>(shared_bytes(ctx, shape));
  const Head head = head_of(block);
  with_resident_math(conv.math, [&]<Math kMath>() {
    launch(sampled_conv_block_resident_kernel<kMath>, dim3(static_cast<unsigned>(blocks)),
           dim3(kThreads), bytes, ctx, forward, head);
  });
}

}  // namespace gradflip
