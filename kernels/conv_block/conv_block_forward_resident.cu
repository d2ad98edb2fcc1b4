// conv2d + bias + relu + max_pool2d on tensor cores, forward, for the plain case of many channels:
// x stays in shared memory, and the filter comes by cp.async, several steps ahead. Read
// conv_block.cu first: the same by the engine, and the reference in tests.
//
//   y[n,p,q,k] = max over the pool window of max(0, conv2d(x, filter)[..] + bias[k]), and its place
//
// Decomposition  a piece is 16 windows of an image, 64 positions numbered window by window; a block
//                computes two (one where that gives too few blocks) by 24 or 32 filters. It brings
//                x under all of their taps into slabs (resident_tile.cuh) once. Steps are 16
//                channels of a tap; four groups of warps share them, and a warp has all of a piece
//                by BN sums in its registers. The sums of the groups meet in shared memory, where
//                one thread per (window, filter) adds them and finds the winner. Two images by half
//                of the paper's 48 filters take 114 KB through L2, one by all of them would take
//                172.
// Pipeline       four stages of one step for each group, 6 to 10 KB; three are under way. One
//                barrier a stage, as in gemm_pipelined.cu.
// Cost           2 * N*P*Q*K * R*S*C operations; memory sees x, the filter, and 5 bytes per pooled
//                element. The paper's second layer, per image, tf32 / bf16: 2,400 / 1,200 mma,
//                4,400 / 2,800 passes over shared memory in the loop and 1,700 / 1,500 around it,
//                57 KB from L2.
// Issue slots    sm_90a (SASS), two pieces by 24 filters: 159 / 108 instructions of a warp for the
//                24 / 12 mma of its step. The paper's second layer has 13 steps for each of two
//                warps a scheduler: 4,100 / 2,800 cycles, where mma.sync takes 3,840 / 1,920. In
//                tf32 the two are about even; in bf16 it is instructions that the loop waits for.
// Occupancy      sm_90a (ptxas), 12x12x32 -> 48 filters, blocks of 256 threads, tf32 / bf16: 120 /
//                103 registers, two blocks; 66 and 60 KB of shared memory. Nothing spills.
// Numerics       operands rounded to tf32 or bf16; f32 sums over taps, for each group over its
//                steps in order, then groups in order: an image's result does not depend on its
//                batch, nor on the pieces of a block. Bias and comparison are f32.
// Banks          no conflicts. A block's rows of pooled outputs are 24 or 32 floats: whole sectors
//                where K is a multiple of 8; winners share theirs with the next block of filters.
#include <algorithm>
#include <cstdint>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cuda/conv_block_pooling.cuh"
#include "kernels/conv_block/cuda/conv_block_positions.cuh"
#include "kernels/conv_block/cuda/conv_block_resident.h"
#include "kernels/conv_block/cuda/resident_forward.cuh"
#include "kernels/conv_block/cuda/resident_tile.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/pipelined_tile.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_mma.cuh"
#include "kernels/require.h"

namespace gradflip {
namespace {

using namespace resident_forward;

// A warp's piece by BN filters, over every kGroups-th step.
template <typename Tile>
class WarpSums {
  static constexpr Math kMath = Tile::kMath;

 public:
  __device__ __forceinline__ WarpSums(const Forward& args, std::int64_t first_piece)
      : filter_(0, lane()) {
    const Piece at(args, first_piece + piece());
#pragma unroll
    for (int i = 0; i < kFragments; ++i) {
      const int row = 16 * i + lane() % 16;
      // Past the last window there is that one once more.
      const int window = min(at.first_window + row / kPlaces, args.image_windows - 1);
      const IntQuotient in_image = args.PQ.divide_int(window);
      const int y = 2 * (in_image.quotient - at.first_row) + row % kPlaces / 2;
      const int x = 2 * in_image.remainder + row % 2;
      rows_[i] =
          piece() * args.slab_vectors + y * args.pitch.row + x * args.pitch.pixel + lane() / 16;
    }
  }

  // += patches filter of the group's step of the stage that begins at `step`.
  __device__ __forceinline__ void multiply(const Forward& args, int step,
                                           const typename Tile::Stage& stage, const uint4* slab) {
    if (step + group() >= args.steps) return;
    const IntQuotient in_tap = args.steps_of_tap.divide_int(step + group());
    const IntQuotient tap = args.S.divide_int(in_tap.quotient);
    slab += tap.quotient * args.pitch.row + tap.remainder * args.pitch.pixel +
            in_tap.remainder * (Tile::kDepth / kVectorChannels<kMath>);
#pragma unroll
    for (int k = 0; k < Tile::kDepth; k += kMmaDepth<kMath>) {
      Fragment<kMath, 2> filter[kColumns];
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        filter_.read_columns(stage.tiles[group()], 8 * j, k, filter[j].bits);
      }
#pragma unroll
      for (int i = 0; i < kFragments; ++i) {
        Fragment<kMath, 4> patches;
        ldmatrix_x4(patches.bits, slab + rows_[i] + k / kVectorChannels<kMath>);
#pragma unroll
        for (int j = 0; j < kColumns; ++j) {
          multiply_fragments<kMath>(sums_[i][j], patches, filter[j]);
        }
      }
    }
  }

  // Into staged[group][position][filter].
  __device__ __forceinline__ void store(float* staged) const {
    staged += group() * Tile::kGroupFloats +
              Tile::staged(piece() * kPositions + lane() / 4, lane() % 4 * 2);
#pragma unroll
    for (int i = 0; i < kFragments; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        const float(&d)[4] = sums_[i][j];
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          *reinterpret_cast<float2*>(staged + Tile::staged(16 * i + 8 * half, 8 * j)) =
              make_float2(d[2 * half], d[2 * half + 1]);
        }
      }
    }
  }

 private:
  static constexpr int kColumns = Tile::BN / 8;

  __device__ __forceinline__ static int lane() {
    return static_cast<int>(threadIdx.x) % kWarpLanes;
  }
  __device__ __forceinline__ static int group() {
    return static_cast<int>(threadIdx.x) / kWarpLanes % kGroups;
  }
  __device__ __forceinline__ static int piece() {
    return static_cast<int>(threadIdx.x) / kWarpLanes / kGroups;
  }

  int rows_[kFragments];  // this lane's vectors of the slab, of the tap (0, 0)
  FragmentReader<kMath, Along::kOuter, Tile::BN> filter_;
  float sums_[kFragments][kColumns][4] = {};
};

template <typename Tile>
__device__ __forceinline__ void pool(const Forward& args, std::int64_t first_piece, int n_begin,
                                     const float* staged) {
#pragma unroll
  for (int i = static_cast<int>(threadIdx.x); i < Tile::kPieces * kWindows * Tile::BN;
       i += Tile::kThreads) {
    const int window = i / Tile::BN;
    const int n = i % Tile::BN;
    const std::int64_t piece = first_piece + window / kWindows;
    const Piece at(args, piece);
    const int in_image = at.first_window + window % kWindows;
    if (piece >= args.pieces || in_image >= args.image_windows || n_begin + n >= args.K) continue;
    Champion champion;
#pragma unroll
    for (int place = 0; place < kPlaces; ++place) {
      const float* from = staged + Tile::staged(window * kPlaces + place, n);
      float sum = *from;
#pragma unroll
      for (int group = 1; group < kGroups; ++group) sum += from[group * Tile::kGroupFloats];
      champion.challenge(sum + args.pooling.bias[n_begin + n], place);
    }
    args.pooling.write(at.n * args.image_windows + in_image, n_begin + n, champion);
  }
}

template <typename Tile>
__global__ void __launch_bounds__(Tile::kThreads, kBlocksPerMultiprocessor)
    conv_block_forward_resident_kernel(Forward args) {
  auto* stages = dynamic_shared<typename Tile::Stage>();
  auto* slab = reinterpret_cast<uint4*>(stages + kStages);
  const Quotient place = args.tiles_n.divide(blockIdx.x);
  const std::int64_t first_piece = place.quotient * Tile::kPieces;
  const int n_begin = static_cast<int>(place.remainder) * Tile::BN;
  const FilterCopier<Tile> filter(args, n_begin);
  using Sums = WarpSums<Tile>;
  using Stage = typename Tile::Stage;
  const Sums sums = for_each_stage<kGroups, kStages>(
      args.steps, stages, [&](int step, Stage& stage) { filter.copy(args, step, stage); },
      [&] {
        load_slabs<Tile>(args, first_piece, slab);
        return Sums(args, first_piece);
      },
      [&](Sums& own, int step, const Stage& stage) { own.multiply(args, step, stage, slab); });
  auto* staged = reinterpret_cast<float*>(stages);
  sums.store(staged);  // over stages and slabs: for_each_stage ended with a barrier
  __syncthreads();     // a window is added up from the sums of all groups
  pool<Tile>(args, first_piece, n_begin, staged);
}

// Rows of windows that a piece may touch.
std::int64_t window_rows(const ConvBlockShape& shape) {
  return std::min(shape.PP(), (shape.PQ() + kWindows - 2) / shape.PQ() + 1);
}

template <Math kMath>
SlabPitch pitch_of(const ConvBlockShape& shape) {
  return slab_pitch<kMath>(2 * shape.PQ() + shape.conv.S - 1, shape.conv.C);
}

template <Math kMath>
std::int64_t slab_vectors(const ConvBlockShape& shape) {
  return (2 * window_rows(shape) + shape.conv.R - 1) * pitch_of<kMath>(shape).row;
}

template <typename Tile>
std::int64_t shared_bytes(const ConvBlockShape& shape) {
  const std::int64_t slabs =
      Tile::kPieces * slab_vectors<Tile::kMath>(shape) * static_cast<std::int64_t>(sizeof(uint4));
  constexpr std::int64_t kStaged =
      std::int64_t{kGroups} * Tile::kGroupFloats * static_cast<std::int64_t>(sizeof(float));
  return std::max(static_cast<std::int64_t>(kStages * sizeof(typename Tile::Stage)) + slabs,
                  kStaged);
}

// Of a block of one piece, at most.
std::int64_t least_shared_bytes(const ConvBlockShape& shape) {
  return shape.conv.math == Math::kBf16 ? shared_bytes<Tiling<Math::kBf16, 1, 32>>(shape)
                                        : shared_bytes<Tiling<Math::kTf32, 1, 32>>(shape);
}

struct Call {
  const ConvBlockShape& shape;
  const float* x;
  const float* filter;
  Pooling pooling;
};

template <typename Tile>
void launch_forward(Cuda ctx, const Call& call) {
  const Conv2dShape& conv = call.shape.conv;
  const auto narrow = [](std::int64_t size) { return static_cast<int>(size); };
  const std::int64_t windows = call.shape.PP() * call.shape.PQ();
  const std::int64_t image_pieces = tiles_of(windows, kWindows);
  const std::int64_t steps_of_tap = conv.C / Tile::kDepth;
  const Forward forward{.x = call.x,
                        .filter = call.filter,
                        .pooling = call.pooling,
                        .pieces = conv.N * image_pieces,
                        .H = narrow(conv.H),
                        .W = narrow(conv.W),
                        .C = narrow(conv.C),
                        .K = narrow(conv.K),
                        .pad_h = narrow(conv.pad_h),
                        .pad_w = narrow(conv.pad_w),
                        .image_windows = narrow(windows),
                        .steps = narrow(conv.R * conv.S * steps_of_tap),
                        .taps = narrow(conv.R * conv.S * conv.C),
                        .slab_rows = narrow(2 * window_rows(call.shape) + conv.R - 1),
                        .slab_vectors = narrow(slab_vectors<Tile::kMath>(call.shape)),
                        .tiles_n = Divisor(tiles_of(conv.K, Tile::BN)),
                        .image_pieces = Divisor(image_pieces),
                        .PQ = Divisor(call.shape.PQ()),
                        .S = Divisor(conv.S),
                        .steps_of_tap = Divisor(steps_of_tap),
                        .pixel_vectors = Divisor(conv.C / kVectorChannels<Tile::kMath>),
                        .slab_width = Divisor(2 * call.shape.PQ() + conv.S - 1),
                        .pitch = pitch_of<Tile::kMath>(call.shape)};
  const std::int64_t blocks = tiles_of(forward.pieces, Tile::kPieces) * forward.tiles_n.value();
  launch(conv_block_forward_resident_kernel<Tile>, dim3(static_cast<unsigned>(blocks)),
         dim3(Tile::kThreads), static_cast<std::size_t>(shared_bytes<Tile>(call.shape)), ctx,
         forward);
}

// The width that computes the fewest columns for nothing, of equals the larger.
bool is_narrow(std::int64_t K) { return round_up(K, 24) < round_up(K, 32); }

// Two pieces share what a block reads of the filter, where one each would be more blocks than there
// are multiprocessors, and there is room for two.
template <Math kMath, int BN>
void launch_pieces(Cuda ctx, const Call& call) {
  using Two = Tiling<kMath, 2, BN>;
  const std::int64_t pieces =
      call.shape.conv.N * tiles_of(call.shape.PP() * call.shape.PQ(), kWindows);
  const bool has_room = shared_bytes<Two>(call.shape) <= kMostSharedThatPays &&
                        has_shared(ctx, shared_bytes<Two>(call.shape));
  if (has_room && pieces * tiles_of(call.shape.conv.K, BN) > ctx.gpu->multiprocessors) {
    launch_forward<Two>(ctx, call);
  } else {
    launch_forward<Tiling<kMath, 1, BN>>(ctx, call);
  }
}

}  // namespace

bool conv_block_forward_resident_can(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                     const float* filter) {
  const Conv2dShape& conv = shape.conv;
  if (!is_resident_math(conv.math) || !is_plain(shape) || conv.dilation_h != 1 ||
      conv.dilation_w != 1 || conv.C % 16 != 0 || conv.K % 4 != 0 || !are_int_offsets(conv)) {
    return false;
  }
  return has_shared(ctx, least_shared_bytes(shape)) && begins_on(sizeof(float4), x) &&
         begins_on(sizeof(float4), filter);
}

bool conv_block_forward_resident_pays(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                      const float* filter) {
  const std::int64_t windows = shape.PP() * shape.PQ();
  const std::int64_t K = shape.conv.K;
  return round_up(windows, kWindows) * round_up(K, is_narrow(K) ? 24 : 32) <= 2 * windows * K &&
         least_shared_bytes(shape) <= kMostSharedThatPays &&
         conv_block_forward_resident_can(ctx, shape, x, filter);
}

void conv_block_forward_resident(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                 const float* filter, const float* bias, float* pooled,
                                 std::uint8_t* winner) {
  require_valid(shape);
  require_extents(shape.conv);
  const Conv2dShape& conv = shape.conv;
  GRADFLIP_REQUIRE(conv_block_forward_resident_can(ctx, shape, x, filter),
                   message("conv_block_forward_resident: C and K are ", conv.C, ", ", conv.K,
                           "; plain pools and vectors of 16 bytes are needed"));
  if (conv.N == 0) return;
  const Call call{
      shape, x, filter,
      Pooling{bias, pooled, winner, conv.N * shape.PP() * shape.PQ(), conv.K, kPlaces, 1}};
  with_resident_math(conv.math, [&]<Math kMath>() {
    is_narrow(conv.K) ? launch_pieces<kMath, 24>(ctx, call) : launch_pieces<kMath, 32>(ctx, call);
  });
}

}  // namespace gradflip
