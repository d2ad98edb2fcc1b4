// Matrix product on CUDA, and sums of products over row ranges: one kernel over a list of terms, of
// which gemm has one. Large products on tensor cores are gemm_pipelined.cu's.
//
//   C[m,n] (+)= sum over terms t with row_begin <= m < row_begin + M of
//               sum over k of (scale_t * A_t[m - row_begin, k]) * B_t[k, n]
// A term's scale is applied to A on its way from registers to shared memory, so gradient reversal
// (scale = -lambda) costs one multiplication per element of A that a block loads, and no traffic.
//
// Decomposition  one tile of C per block on the engine of tile_gemm.cuh; tiles of a row of C are
//                neighbours in the grid, which shares A's rows in L2. The layers' products are
//                small (M 64 to 4096, N and K 1 to 768): waiting for memory is most of their time,
//                so the warps of a block split K (slices) and go through it without block barriers.
// Numerics       f32 sums; operands rounded to tf32 or bf16 as the mode allows. How K is split
//                depends on N and K only: a row of C does not depend on how many rows there are,
//                until there are so many that gemm_pipelined takes over.
// Cost           2*M*N*K operations; per block 4 * (BM + BN) * K bytes through L2.
// Occupancy      sm_90, blocks on a multiprocessor: Narrow 2 of eight warps (103 to 107 registers,
//                28 KiB), Deep 1 or 2 of eight (115 to 155, 40 KiB), Small 2 or 3 of four (135 to
//                172, 20 KiB), Large 2 of four (172 to 215, 40 KiB). Nothing spills.
#include <algorithm>
#include <cstdint>
#include <span>

#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_dense.cuh"
#include "kernels/cuda/tile_gemm.cuh"
#include "kernels/gemm.h"
#include "kernels/gemm/gemm_pipelined.h"

namespace gradflip {
namespace {

// A's elements times a factor, its row 0 at row row_begin of C.
template <Along kDirection>
struct ScaledLoader : DenseLoader<kDirection> {
  using Base = DenseLoader<kDirection>;
  std::int64_t row_begin;
  float factor;

  __device__ __forceinline__ typename Base::Outer outer(std::int64_t i) const {
    return Base::outer(i - row_begin);
  }
  __device__ __forceinline__ Floats<4> value(const typename Base::Fetched& fetched) const {
    return {factor * fetched.at[0], factor * fetched.at[1], factor * fetched.at[2],
            factor * fetched.at[3]};
  }
};

struct Terms {
  GemmTerm at[kMaxGemmTerms];
  int count = 0;
};

// Without the 1, ptxas cuts some instances down to 128 registers, for occupancy that the small
// grids cannot use, and spills.
template <typename Shape, Along kAlongA, Along kAlongB>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    gemm_kernel(Terms terms, std::int64_t rows, std::int64_t N, Write write,
                float* __restrict__ c) {
  using LoaderA = ScaledLoader<kAlongA>;
  using LoaderB = DenseLoader<kAlongB>;
  using Product = TileProduct<Shape, LoaderA, LoaderB>;
  GRADFLIP_SHARED(float4, shared, [Product::kSharedVectors]);
  const auto tiles_n = static_cast<unsigned>((N + Shape::BN - 1) / Shape::BN);
  const std::int64_t m_begin = std::int64_t{blockIdx.x / tiles_n} * Shape::BM;
  const std::int64_t n_begin = std::int64_t{blockIdx.x % tiles_n} * Shape::BN;

  Product product(shared);
  for (int t = 0; t < terms.count; ++t) {
    const GemmTerm term = terms.at[t];
    const std::int64_t row_end = term.row_begin + term.M;
    if (m_begin >= row_end || m_begin + Shape::BM <= term.row_begin) continue;
    const bool a_by_rows = kAlongA == Along::kK;
    const bool b_by_rows = kAlongB == Along::kOuter;
    const LoaderA a{{term.a, a_by_rows ? term.M : term.K, a_by_rows ? term.K : term.M},
                    term.row_begin,
                    value_of(term.scale)};
    const LoaderB b(term.b, b_by_rows ? term.K : N, b_by_rows ? N : term.K);
    product.add(a, b, m_begin, n_begin, 0, term.K);
  }
  product.for_each([&](int m, int n, float sum) {
    if (m_begin + m >= rows || n_begin + n >= N) return;
    float& to = c[(m_begin + m) * N + n_begin + n];
    to = write == Write::kAccumulate ? to + sum : sum;
  });
}

// Products for a handful of outputs, such as a classifier's logits. Tensor cores would leave most
// of a fragment empty, so every mode computes in f32.
using Narrow = Tile<Math::kF32, 32, 16, 1, 1, 8>;
constexpr std::int64_t kNarrowN = Narrow::BN;

// K so long that four slices would be a long walk for each.
template <Math kMath>
using Deep = Tile<kMath, 32, 32, 1, 1, 8>;
constexpr std::int64_t kDeepK = 512;

// The rest. Small tiles until large ones, with a third more operations per byte, make two blocks
// for every multiprocessor. Both have the same slices, hence the same bits on every GPU.
template <Math kMath>
using Small = Tile<kMath, 32, 32, 1, 1, 4>;
template <Math kMath>
using Large = Tile<kMath, large_tile<kMath>(64), 32, 1, 1, 4>;
std::int64_t many_blocks(Cuda ctx) { return std::int64_t{2} * ctx.gpu->multiprocessors; }

struct SumOfProducts {
  Terms terms{};
  std::int64_t rows = 0, N = 0, K = 0;  // K: the longest of the terms
  bool transpose_a = false, transpose_b = false;
  Write write = Write::kOverwrite;
  float* c = nullptr;
};

template <typename Shape>
std::int64_t tiles(const SumOfProducts& sum) {
  return (sum.rows + Shape::BM - 1) / Shape::BM * ((sum.N + Shape::BN - 1) / Shape::BN);
}

template <typename Shape, Along kAlongA, Along kAlongB>
void launch_stored(Cuda ctx, const SumOfProducts& sum) {
  launch(gemm_kernel<Shape, kAlongA, kAlongB>, dim3(static_cast<unsigned>(tiles<Shape>(sum))),
         dim3(Shape::kThreads), 0, ctx, sum.terms, sum.rows, sum.N, sum.write, sum.c);
}

template <typename Shape>
void launch_tiles(Cuda ctx, const SumOfProducts& sum) {
  if (sum.transpose_a) {
    sum.transpose_b ? launch_stored<Shape, Along::kOuter, Along::kK>(ctx, sum)
                    : launch_stored<Shape, Along::kOuter, Along::kOuter>(ctx, sum);
  } else {
    sum.transpose_b ? launch_stored<Shape, Along::kK, Along::kK>(ctx, sum)
                    : launch_stored<Shape, Along::kK, Along::kOuter>(ctx, sum);
  }
}

template <Math kMath>
void launch_wide(Cuda ctx, const SumOfProducts& sum) {
  if (sum.K >= kDeepK) return launch_tiles<Deep<kMath>>(ctx, sum);
  if (tiles<Large<kMath>>(sum) < many_blocks(ctx)) return launch_tiles<Small<kMath>>(ctx, sum);
  launch_tiles<Large<kMath>>(ctx, sum);
}

void launch_sum(Cuda ctx, Math math, const SumOfProducts& sum) {
  if (sum.rows == 0 || sum.N == 0) return;
  if (sum.N <= kNarrowN) return launch_tiles<Narrow>(ctx, sum);
  switch (math) {
    case Math::kF32:
      return launch_wide<Math::kF32>(ctx, sum);
    case Math::kTf32:
      return launch_wide<Math::kTf32>(ctx, sum);
    case Math::kBf16:
      return launch_wide<Math::kBf16>(ctx, sum);
    case Math::kTf32x3:
      return launch_wide<Math::kTf32x3>(ctx, sum);
  }
}

}  // namespace

void gemm(Cuda ctx, const GemmShape& shape, Scale scale, const float* a, const float* b,
          Write write, float* c) {
  require_valid(shape);
  if (gemm_pipelined_pays(ctx, shape, a, b)) {
    return gemm_pipelined(ctx, shape, scale, a, b, write, c);
  }
  SumOfProducts sum{.rows = shape.M,
                    .N = shape.N,
                    .K = shape.K,
                    .transpose_a = shape.transpose_a,
                    .transpose_b = shape.transpose_b,
                    .write = write,
                    .c = c};
  sum.terms.at[sum.terms.count++] = {
      .a = a, .b = b, .row_begin = 0, .M = shape.M, .K = shape.K, .scale = scale};
  launch_sum(ctx, shape.math, sum);
}

void gemm_terms(Cuda ctx, std::int64_t rows, std::int64_t N, std::span<const GemmTerm> terms,
                Math math, float* c) {
  require_valid_terms(rows, N, terms);
  SumOfProducts sum{.rows = rows, .N = N, .c = c};
  for (const GemmTerm& term : terms) {
    sum.K = std::max(sum.K, term.K);
    sum.terms.at[sum.terms.count++] = term;
  }
  launch_sum(ctx, math, sum);
}

}  // namespace gradflip
