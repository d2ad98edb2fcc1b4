// Large matrix products on tensor cores: operands come by cp.async, several steps of K ahead.
//
//   C[m,n] (+)= scale * sum over k of A[m,k] * B[k,n]          all four storages of gemm.h
//
// The engine of gemm.cu brings operands through registers, which suits small and gathered ones. Its
// tiles are bound by what they read through L2: M*N*K multiplications take 4 * (1/BM + 1/BN) *
// M*N*K bytes, three times as many with its 64 x 32 as with the 128 x 128 of here.
//
// Decomposition  128 x 128 of C per block, 64 x 64 per warp: a step of 16 k is read from shared
//                memory twice; with warps of 32 x 32 it would be four times. The tiles of 16 rows
//                of tiles follow each other column by column, so that the 264 blocks on a device
//                make about a square of C, which shares the most in L2.
// Pipeline       four stages of 16 to 17 KiB, both operands' tiles of one step. Three are under way
//                while the fourth is computed: 48 KiB per block on the way from memory. One barrier
//                per step says both that a stage has come for all threads and that all have read
//                the stage of the step before, which is filled next.
// Numerics       operands rounded to tf32 or bf16 as they enter the fragments; f32 sums in the
//                order of K, the factor last. An element depends on its row of A and its column of
//                B only, whatever the grid.
// Occupancy      two blocks of 128 threads on a multiprocessor, by their 64 to 68 KiB on sm_80 and
//                by 206 to 231 registers. Nothing spills.
// Issue slots    sm_90a (SASS): 316 to 372 instructions of a warp for the 64 mma of a step in tf32,
//                the fewest where B's neighbours run along k; 195 to 251 for 32 mma in bf16. Two
//                warps a scheduler: 740 cycles at most, where mma.sync takes 820; in bf16 500 and
//                410.
// Banks          no conflicts: pipelined_tile.cuh. C goes out from the fragments, in whole sectors
//                where its rows begin on one (N a multiple of 8); with N odd, in halves of sectors.
// Cost           2*M*N*K operations in whole tiles; per block 1024 * K bytes through L2; C once, or
//                twice if it accumulates.
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/cuda/mma.h"
#include "kernels/cuda/pipelined_tile.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/gemm/gemm_pipelined.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr int kTile = PipelinedTile<Along::kK>::kOuter;
constexpr int kDepth = PipelinedTile<Along::kK>::kDepth;
constexpr int kWarpTile = 64;
constexpr int kThreads = kWarpLanes * (kTile / kWarpTile) * (kTile / kWarpTile);
constexpr unsigned kStages = 4;
constexpr int kBlocksPerMultiprocessor = 2;

template <Along kAlongA, Along kAlongB>
struct Stage {
  float a[PipelinedTile<kAlongA>::kFloats];
  float b[PipelinedTile<kAlongB>::kFloats];

  static constexpr std::size_t shared_bytes() {
    constexpr std::size_t kBytes = kStages * sizeof(Stage);
    // Those of sm_80; the system takes 1 KiB from every block.
    static_assert(kBlocksPerMultiprocessor * (kBytes + 1024) <= 163 * 1024);
    return kBytes;
  }
};

struct Product {
  std::int64_t M, N, K;
  const float* a;
  const float* b;
  Scale scale;
  Write write;
  float* c;
  bool pairs;  // C's rows can be written two floats at a time
};

// A warp's 64 x 64 of C. The layouts of the fragments are in mma.h.
template <Math kMath, Along kAlongA, Along kAlongB>
class WarpSums {
 public:
  __device__ __forceinline__ WarpSums()
      : lane_(static_cast<int>(threadIdx.x) % kWarpLanes),
        row_(static_cast<int>(threadIdx.x) / kWarpLanes % 2 * kWarpTile),
        column_(static_cast<int>(threadIdx.x) / kWarpLanes / 2 * kWarpTile),
        a_(row_, lane_),
        b_(column_, lane_) {}

  // += A B of one step.
  __device__ __forceinline__ void multiply(const float* a, const float* b) {
#pragma unroll
    for (int k = 0; k < kDepth; k += kMmaDepth<kMath>) {
      std::uint32_t rows[kFragments][4];
      std::uint32_t columns[kFragments][4];
#pragma unroll
      for (int i = 0; i < kFragments; ++i) {
        a_.read(a, 16 * i, k, rows[i]);
        b_.read(b, 16 * i, k, columns[i]);
      }
#pragma unroll
      for (int i = 0; i < kFragments; ++i) {
#pragma unroll
        for (int j = 0; j < 2 * kFragments; ++j) {
          const std::uint32_t* pair = columns[j / 2] + (kPairs ? j % 2 * 2 : j % 2);
          const std::uint32_t column[2] = {pair[0], pair[kPairs ? 1 : 2]};
          if constexpr (kMath == Math::kTf32) {
            mma_m16n8k8_tf32(sums_[i][j], rows[i], column);
          } else {
            mma_m16n8k16_bf16(sums_[i][j], rows[i], column);
          }
        }
      }
    }
  }

  // Four lanes write eight floats of a row at once: a sector.
  __device__ __forceinline__ void store(const Product& product, std::int64_t m_begin,
                                        std::int64_t n_begin) const {
    const float factor = value_of(product.scale);
#pragma unroll
    for (int i = 0; i < 2 * kFragments; ++i) {
      const std::int64_t m = m_begin + row_ + 8 * i + lane_ / 4;
      if (m >= product.M) continue;
#pragma unroll
      for (int j = 0; j < 2 * kFragments; ++j) {
        const float(&d)[4] = sums_[i / 2][j];
        store_pair(product, m, n_begin + column_ + 8 * j + lane_ % 4 * 2, factor * d[i % 2 * 2],
                   factor * d[i % 2 * 2 + 1]);
      }
    }
  }

 private:
  static constexpr int kFragments = kWarpTile / 16;  // of A; B's are half as wide

  __device__ __forceinline__ static void store_pair(const Product& product, std::int64_t m,
                                                    std::int64_t n, float first, float second) {
    if (n >= product.N) return;
    float* to = product.c + m * product.N + n;
    const bool add = product.write == Write::kAccumulate;
    if (product.pairs) {
      auto& pair = *reinterpret_cast<float2*>(to);
      pair = add ? make_float2(pair.x + first, pair.y + second) : make_float2(first, second);
      return;
    }
    to[0] = add ? to[0] + first : first;
    if (n + 1 < product.N) to[1] = add ? to[1] + second : second;
  }

  int lane_;
  int row_, column_;  // of the warp's part of the tile
  FragmentReader<kMath, kAlongA> a_;
  static constexpr bool kPairs = kAlongB == Along::kK;
  std::conditional_t<kPairs, ColumnReader<kMath, kTile>, FragmentReader<kMath, kAlongB>> b_;
  float sums_[kFragments][2 * kFragments][4] = {};
};

// A tile of C, in units of tiles.
struct TilePlace {
  std::int64_t row, column;
};

// About as tall as the blocks that are on an H100 are wide: 16 x 16.5 tiles. Elsewhere the
// rectangle is of another shape, which costs traffic at most.
constexpr std::int64_t kGroupRows = 16;

__device__ __forceinline__ TilePlace place_of(std::int64_t block, std::int64_t M, std::int64_t N) {
  const std::int64_t tiles_m = (M + kTile - 1) / kTile;
  const std::int64_t tiles_n = (N + kTile - 1) / kTile;
  const std::int64_t first_row = block / (kGroupRows * tiles_n) * kGroupRows;
  const std::int64_t rows = min(kGroupRows, tiles_m - first_row);  // the last group may be lower
  const std::int64_t in_group = block - first_row * tiles_n;
  return {first_row + in_group % rows, in_group / rows};
}

template <Math kMath, Along kAlongA, Along kAlongB>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    gemm_pipelined_kernel(Product product) {
  auto* stages = dynamic_shared<Stage<kAlongA, kAlongB>>();
  const TilePlace place = place_of(blockIdx.x, product.M, product.N);
  const std::int64_t m_begin = place.row * kTile;
  const std::int64_t n_begin = place.column * kTile;
  TileCopier<kAlongA, kThreads> a(product.a, product.M, product.K, m_begin);
  TileCopier<kAlongB, kThreads> b(product.b, product.N, product.K, n_begin);

  // Past the end of K there are stages of zeros, which are not read: a group per step, come what
  // may, keeps the count of those under way constant.
  std::int64_t k_left = product.K;
  const auto fetch = [&](unsigned stage) {
    a.copy(k_left, stages[stage].a);
    b.copy(k_left, stages[stage].b);
    cp_async_commit();
    k_left -= kDepth;
  };
#pragma unroll
  for (unsigned stage = 0; stage < kStages - 1; ++stage) fetch(stage);
  WarpSums<kMath, kAlongA, kAlongB> sums;
  unsigned stage = 0;
  for (std::int64_t k = 0; k < product.K; k += kDepth) {
    cp_async_wait<kStages - 2>();
    __syncthreads();
    fetch((stage + kStages - 1) % kStages);
    sums.multiply(stages[stage].a, stages[stage].b);
    stage = (stage + 1) % kStages;
  }
  cp_async_wait<0>();  // no copy outlives its block
  sums.store(product, m_begin, n_begin);
}

std::int64_t tiles_along(std::int64_t size) { return (size + kTile - 1) / kTile; }

template <Math kMath, Along kAlongA, Along kAlongB>
void launch_stored(Cuda ctx, const Product& product) {
  const std::int64_t tiles = tiles_along(product.M) * tiles_along(product.N);
  launch(gemm_pipelined_kernel<kMath, kAlongA, kAlongB>, dim3(static_cast<unsigned>(tiles)),
         dim3(kThreads), Stage<kAlongA, kAlongB>::shared_bytes(), ctx, product);
}

template <Math kMath>
void launch_product(Cuda ctx, const GemmShape& shape, const Product& product) {
  if (shape.transpose_a) {
    shape.transpose_b ? launch_stored<kMath, Along::kOuter, Along::kK>(ctx, product)
                      : launch_stored<kMath, Along::kOuter, Along::kOuter>(ctx, product);
  } else {
    shape.transpose_b ? launch_stored<kMath, Along::kK, Along::kK>(ctx, product)
                      : launch_stored<kMath, Along::kK, Along::kOuter>(ctx, product);
  }
}

}  // namespace

bool gemm_pipelined_can(Cuda ctx, const GemmShape& shape, const float* a, const float* b) {
  const std::int64_t line_a = shape.transpose_a ? shape.M : shape.K;
  const std::int64_t line_b = shape.transpose_b ? shape.K : shape.N;
  const bool rounds = shape.math == Math::kTf32 || shape.math == Math::kBf16;
  constexpr std::int64_t kMostShared = Stage<Along::kOuter, Along::kOuter>::shared_bytes();
  return kMostShared <= ctx.gpu->block_shared_bytes && rounds && line_a % 4 == 0 &&
         line_b % 4 == 0 && begins_on(sizeof(float4), a) && begins_on(sizeof(float4), b);
}

// From one tile per multiprocessor on, the whole device is at work, and the fewer bytes per
// operation are a gain. A quarter of the tiles' elements outside of C is what that gain can bear.
bool gemm_pipelined_pays(Cuda ctx, const GemmShape& shape, const float* a, const float* b) {
  const std::int64_t tiles = tiles_along(shape.M) * tiles_along(shape.N);
  return tiles >= ctx.gpu->multiprocessors && 4 * shape.M * shape.N >= 3 * tiles * kTile * kTile &&
         gemm_pipelined_can(ctx, shape, a, b);
}

void gemm_pipelined(Cuda ctx, const GemmShape& shape, Scale scale, const float* a, const float* b,
                    Write write, float* c) {
  GRADFLIP_REQUIRE(gemm_pipelined_can(ctx, shape, a, b),
                   message("gemm_pipelined: M, N, K are ", shape.M, ", ", shape.N, ", ", shape.K,
                           "; lines of A and B are to be multiples of 16 bytes, in tf32 or bf16"));
  if (shape.M == 0 || shape.N == 0) return;
  const Product product{.M = shape.M,
                        .N = shape.N,
                        .K = shape.K,
                        .a = a,
                        .b = b,
                        .scale = scale,
                        .write = write,
                        .c = c,
                        .pairs = shape.N % 2 == 0 && begins_on(sizeof(float2), c)};
  switch (shape.math) {
    case Math::kBf16:
      return launch_product<Math::kBf16>(ctx, shape, product);
    case Math::kTf32:
      return launch_product<Math::kTf32>(ctx, shape, product);
    case Math::kF32:
    case Math::kTf32x3:
      return;  // refused above
  }
}

}  // namespace gradflip
