// The gradient of conv_block with respect to its input on tensor cores, for the plain case: dy
// stays in shared memory, and the filter comes by cp.async, several steps ahead. Read
// conv_block_backward_data.cu first: the same by the engine, and the reference in tests.
//
//   dx[n,h,w,c] = sum over r,s,k of dy[n, h + pad_h - r, w + pad_w - s, k] * filter[r,s,c,k]
//   dy[n,p,q,k] = dpooled of the window around (p,q) if its winner is (p,q), else 0
//
// Decomposition  a block computes 12 x 12 pixels of an image by 32 channels, as nine fragments of 4
//                x 4 pixels. It unpools dy under all of their taps into a slab (resident_tile.cuh),
//                with zeros beyond its edges, once: the layer's 3.8 KB of dpooled and winners.
//                Steps are 16 filters of a tap; four groups of three warps share them, and a warp
//                has a row of three fragments in its registers. The sums of the groups meet in
//                shared memory. A fragment skips the taps that take all of its pixels out of dy:
//                13/15 of rows and columns are left, 75 % of the products. Scattering instead (64
//                positions x 800 taps) would need no more than 44 %, but each product of a tap
//                belongs to other pixels, so that sums would have to be added in shared memory:
//                51,200 per image, more passes than the whole loop takes.
// Pipeline       four stages of one step for each group, 8 KB; three are under way, 24 KB a block.
//                One barrier a stage, as in gemm_pipelined.cu.
// Cost           2 * 144*32 * R*S*K operations per 12 x 12 x 32, skipped ones included; per block
//                L2 delivers the filter of 32 channels and 5 bytes per pooled element. The paper's
//                second layer, per image, tf32 / bf16: 4,056 / 2,028 mma, 7,200 / 5,100 passes over
//                shared memory in the loop and 1,700 before and after it, 157 KB from L2.
// Issue slots    sm_90a (SASS), tf32 / bf16: 199 / 149 instructions of a warp for the 24 / 12 mma
//                of its step, 75 where the tap takes all its rows to no window (two rows in
//                fifteen); fragments that are skipped take their slots all the same. The paper's
//                second layer has 19 steps for each of three warps a scheduler: 10,400 / 7,900
//                cycles, more than mma.sync (6,500 / 3,200) or shared memory take. It is what the
//                loop waits for.
// Occupancy      sm_90a (ptxas): 80 registers, nothing spills; 92 to 95 KB of shared memory for 5 x
//                5 taps of 48 filters: two blocks of 384 threads. At batch 128 there is one.
// Numerics       operands rounded to tf32 or bf16; f32 sums, for each group over its steps in
//                order, then groups in order: an image's gradient does not depend on its batch.
// Banks          no conflicts but where neighbouring lanes unpool different windows (4.7 passes for
//                3.7, once a block). A sector of winners is shared with the next request.
#include <algorithm>
#include <cstdint>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cuda/conv_block_gradient.cuh"
#include "kernels/conv_block/cuda/conv_block_resident.h"
#include "kernels/conv_block/cuda/resident_backward_data.cuh"
#include "kernels/conv_block/cuda/resident_tile.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/pipelined_tile.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_mma.cuh"
#include "kernels/require.h"

namespace gradflip {
namespace {

using namespace resident_backward_data;

// A warp's 4 x 12 pixels by 32 channels, over every kGroups-th step.
template <Math kMath>
class WarpSums {
 public:
  __device__ __forceinline__ WarpSums(const Gradient& args, const BlockPlace& block)
      : p_(block.h + row() + args.pad_h),
        q_(block.w + args.pad_w),
        first_((row() + lane() % 16 / kFragmentSide + args.R - 1) * args.pitch.row +
               (lane() % kFragmentSide + args.S - 1) * args.pitch.pixel + lane() / 16),
        filter_(0, lane()) {}

  // += dy filter of the group's step of the stage that begins at `step`.
  __device__ __forceinline__ void multiply(const Gradient& args, int step, const Stage& stage,
                                           const uint4* slab) {
    step += group();
    if (step >= args.steps) return;
    const IntQuotient in_tap = args.steps_of_tap.divide_int(step);
    const IntQuotient tap = args.taps_w.divide_int(in_tap.quotient);
    const int p = p_ - tap.quotient;
    const int q = q_ - tap.remainder;
    if (!meets(p, 2 * args.PP)) return;
    const uint4* rows = slab + first_ - tap.quotient * args.pitch.row -
                        tap.remainder * args.pitch.pixel +
                        in_tap.remainder * (kDepth / kVectorChannels<kMath>);
#pragma unroll
    for (int k = 0; k < kDepth; k += kMmaDepth<kMath>) {
      std::uint32_t filter[kChannels / 16][4];
#pragma unroll
      for (int j = 0; j < kChannels / 16; ++j) {
        filter_.read(stage.tiles[group()], 16 * j, k, filter[j]);
      }
#pragma unroll
      for (int i = 0; i < kFragments; ++i) {
        // Pixels that the tap takes to no window: a fifth of the taps at the edges of dx, whole
        // rows of them above.
        if (!meets(q + kFragmentSide * i, 2 * args.PQ)) continue;
        Fragment<kMath, 4> dy;
        ldmatrix_x4(dy.bits,
                    rows + kFragmentSide * i * args.pitch.pixel + k / kVectorChannels<kMath>);
#pragma unroll
        for (int j = 0; j < kChannels / 8; ++j) {
          const std::uint32_t* pair = filter[j / 2] + j % 2 * 2;
          multiply_fragments<kMath>(sums_[i][j], dy, {{pair[0], pair[1]}});
        }
      }
    }
  }

  // Into staged[group][pixel][channel].
  __device__ __forceinline__ void store(float* staged) const {
    staged += group() * kPixels * kStagedPitch + 2 * (lane() % 4);
#pragma unroll
    for (int i = 0; i < kFragments; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int y = row() + lane() / 16 + 2 * half;
        const int x = kFragmentSide * i + lane() / 4 % kFragmentSide;
        float* to = staged + (y * kSide + x) * kStagedPitch;
#pragma unroll
        for (int j = 0; j < kChannels / 8; ++j) {
          *reinterpret_cast<float2*>(to + 8 * j) =
              make_float2(sums_[i][j][2 * half], sums_[i][j][2 * half + 1]);
        }
      }
    }
  }

 private:
  // Whether any of a fragment's rows or columns, which begin at `first`, is in [0, end).
  __device__ __forceinline__ static bool meets(int first, int end) {
    return first + kFragmentSide > 0 && first < end;
  }

  __device__ __forceinline__ static int lane() {
    return static_cast<int>(threadIdx.x) % kWarpLanes;
  }
  __device__ __forceinline__ static int group() {
    return static_cast<int>(threadIdx.x) / kWarpLanes % kGroups;
  }
  // The warp's first, of the block's pixels.
  __device__ __forceinline__ static int row() {
    return static_cast<int>(threadIdx.x) / kWarpLanes / kGroups * kFragmentSide;
  }

  int p_, q_;  // of the tap (0, 0)
  int first_;  // this lane's vector of the slab, of the tap (0, 0)
  ColumnReader<kMath, kChannels> filter_;
  float sums_[kFragments][kChannels / 8][4] = {};
};

// dx = the sums of the groups, in order.
__device__ __forceinline__ void write(const Gradient& args, const BlockPlace& block,
                                      const float* staged) {
  constexpr int kVectors = kChannels / 4;
#pragma unroll
  for (int i = static_cast<int>(threadIdx.x); i < kPixels * kVectors; i += kThreads) {
    const int h = block.h + i / kVectors / kSide;
    const int w = block.w + i / kVectors % kSide;
    const int c = block.c + i % kVectors * 4;
    if (h >= args.H || w >= args.W || c >= args.C) continue;
    const float* from = staged + i / kVectors * kStagedPitch + i % kVectors * 4;
    float4 sum = *reinterpret_cast<const float4*>(from);
#pragma unroll
    for (int group = 1; group < kGroups; ++group) {
      const float4 x = *reinterpret_cast<const float4*>(from + group * kPixels * kStagedPitch);
      sum = make_float4(sum.x + x.x, sum.y + x.y, sum.z + x.z, sum.w + x.w);
    }
    *reinterpret_cast<float4*>(args.dx + ((block.n * args.H + h) * args.W + w) * args.C + c) = sum;
  }
}

template <Math kMath>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    conv_block_backward_data_resident_kernel(Gradient args) {
  Stage* stages = dynamic_shared<Stage>();
  auto* slab = reinterpret_cast<uint4*>(stages + kStages);
  const BlockPlace block(args);
  const FilterCopier filter(args, block);
  using Sums = WarpSums<kMath>;
  const Sums sums = for_each_stage<kGroups, kStages>(
      args.steps, stages, [&](int step, Stage& stage) { filter.copy(args, step, stage); },
      [&] {
        unpool<kMath>(args, block, slab);
        return Sums(args, block);
      },
      [&](Sums& own, int step, const Stage& stage) { own.multiply(args, step, stage, slab); });
  auto* staged = reinterpret_cast<float*>(stages);
  sums.store(staged);  // over the stages: for_each_stage ended with a barrier
  __syncthreads();     // a pixel is added up from the sums of all groups
  write(args, block, staged);
}

template <Math kMath>
SlabPitch pitch_of(const ConvBlockShape& shape) {
  return slab_pitch<kMath>(kSide + shape.conv.S - 1, shape.conv.K);
}

template <Math kMath>
std::int64_t shared_bytes(const ConvBlockShape& shape) {
  const std::int64_t slab = (kSide + shape.conv.R - 1) * pitch_of<kMath>(shape).row *
                            static_cast<std::int64_t>(sizeof(uint4));
  return std::max(static_cast<std::int64_t>(kStages * sizeof(Stage)) + slab, kStagedBytes);
}

std::int64_t shared_bytes(const ConvBlockShape& shape) {
  return shape.conv.math == Math::kBf16 ? shared_bytes<Math::kBf16>(shape)
                                        : shared_bytes<Math::kTf32>(shape);
}

template <Math kMath>
void launch_backward_data(Cuda ctx, const ConvBlockShape& shape, const float* dpooled,
                          const std::uint8_t* winner, const float* filter, float* dx) {
  const Conv2dShape& conv = shape.conv;
  const auto narrow = [](std::int64_t size) { return static_cast<int>(size); };
  const std::int64_t cells_h = (kSide + conv.R - 1) / 2 + 1;
  const std::int64_t cells_w = (kSide + conv.S - 1) / 2 + 1;
  const Gradient gradient{.dpooled = dpooled,
                          .winner = winner,
                          .filter = filter,
                          .dx = dx,
                          .H = narrow(conv.H),
                          .W = narrow(conv.W),
                          .C = narrow(conv.C),
                          .K = narrow(conv.K),
                          .PP = narrow(shape.PP()),
                          .PQ = narrow(shape.PQ()),
                          .R = narrow(conv.R),
                          .S = narrow(conv.S),
                          .pad_h = narrow(conv.pad_h),
                          .pad_w = narrow(conv.pad_w),
                          .tiles_h = Divisor(tiles_of(conv.H, kSide)),
                          .tiles_w = Divisor(tiles_of(conv.W, kSide)),
                          .tiles_c = Divisor(tiles_of(conv.C, kChannels)),
                          .taps_w = Divisor(conv.S),
                          .steps_of_tap = Divisor(conv.K / kDepth),
                          .vectors = Divisor(conv.K / kVectorChannels<kMath>),
                          .cells_w = Divisor(cells_w),
                          .cells = narrow(cells_h * cells_w),
                          .steps = narrow(conv.R * conv.S * (conv.K / kDepth)),
                          .pitch = pitch_of<kMath>(shape)};
  const std::int64_t blocks =
      conv.N * gradient.tiles_h.value() * gradient.tiles_w.value() * gradient.tiles_c.value();
  launch(conv_block_backward_data_resident_kernel<kMath>, dim3(static_cast<unsigned>(blocks)),
         dim3(kThreads), static_cast<std::size_t>(shared_bytes<kMath>(shape)), ctx, gradient);
}

}  // namespace

bool conv_block_backward_data_resident_can(Cuda ctx, const ConvBlockShape& shape,
                                           const float* dpooled, const std::uint8_t* winner,
                                           const float* filter, const float* dx) {
  const Conv2dShape& conv = shape.conv;
  if (!is_resident_math(conv.math) || !is_plain(shape) || conv.dilation_h != 1 ||
      conv.dilation_w != 1 || conv.K % kDepth != 0 || conv.C % 4 != 0 || !are_int_offsets(conv)) {
    return false;
  }
  return has_shared(ctx, shared_bytes(shape)) && begins_on(sizeof(float4), dpooled) &&
         begins_on(sizeof(uchar4), winner) && begins_on(sizeof(float4), filter) &&
         begins_on(sizeof(float4), dx);
}

bool conv_block_backward_data_resident_pays(Cuda ctx, const ConvBlockShape& shape,
                                            const float* dpooled, const std::uint8_t* winner,
                                            const float* filter, const float* dx) {
  const Conv2dShape& conv = shape.conv;
  return round_up(conv.H, kSide) * round_up(conv.W, kSide) * round_up(conv.C, kChannels) <=
             2 * conv.H * conv.W * conv.C &&
         shared_bytes(shape) <= kMostSharedThatPays &&
         conv_block_backward_data_resident_can(ctx, shape, dpooled, winner, filter, dx);
}

void conv_block_backward_data_resident(Cuda ctx, const ConvBlockShape& shape, const float* dpooled,
                                       const std::uint8_t* winner, const float* filter, float* dx) {
  require_valid(shape);
  require_extents(shape.conv);
  GRADFLIP_REQUIRE(conv_block_backward_data_resident_can(ctx, shape, dpooled, winner, filter, dx),
                   message("conv_block_backward_data_resident: C and K are ", shape.conv.C, ", ",
                           shape.conv.K, "; plain pools and vectors of 16 bytes are needed"));
  if (shape.conv.N == 0) return;
  with_resident_math(shape.conv.math, [&]<Math kMath>() {
    launch_backward_data<kMath>(ctx, shape, dpooled, winner, filter, dx);
  });
}

}  // namespace gradflip
