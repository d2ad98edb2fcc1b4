// Convolution on CUDA as implicit matrix products: the engine of tile_gemm.cuh with the loaders of
// tile_conv.cuh, which read x, dy and filter where they are. Any stride, padding and dilation.
//
//   forward          M = N*P*Q, N = K, K = R*S*C
//   backward_data    M = N*H*W, N = C, K = R*S*K: a gather, so no element has two writers. With a
//                    stride, pixels that are the same modulo it meet the same taps: a launch for
//                    each such class (cuda/gradient_walk.cuh).
//   backward_filter  M = R*S*C, N = K, K = N*P*Q, cut into parts over blocks: partial sums go to
//                    the workspace and are added in order by a second launch.
//
// Numerics   f32 sums in an order that depends on the shape and the number of multiprocessors;
//            operands rounded to tf32 or bf16 as the mode allows. Zeros of padding are multiplied
//            too: where a filter is not finite they become NaN.
// Cost       2*N*P*Q*R*S*C*K operations; backward_data with a stride_h*stride_w beyond 16 so many
//            times as many.
// Occupancy  sm_90, blocks of four warps on a multiprocessor: Wide 2 or 3 (152 to 199 registers,
//            36 KiB), Tall 3 or 4 (108 to 147, at most 25 KiB), Small 3 or 4 (119 to 165, 20 KiB),
//            the filter gradient 2 in fours (179 to 200, 40 KiB), else 3 (142 to 167, 20 KiB). More
//            registers are for channels that are read one by one. Nothing spills.
#include <algorithm>
#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/conv2d/cuda/gradient_walk.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_conv.cuh"
#include "kernels/cuda/tile_dense.cuh"
#include "kernels/cuda/tile_gemm.cuh"
#include "kernels/cuda/tile_partials.cuh"

namespace gradflip {
namespace {

// A third more operations than Tall per float read from shared memory, where N fills it.
template <Math kMath>
using Wide = Tile<kMath, 128, 64, 2, 2>;
template <Math kMath>
using Tall = Tile<kMath, 128, 32, 4, 1>;
// Too few outputs for the others to occupy the device: K is split within the block, too.
template <Math kMath>
using Small = Tile<kMath, 32, 32, 1, 1, 4>;

struct Extent {
  std::int64_t M, N, K;
};

template <typename Shape>
std::int64_t tiles(const Extent& extent) {
  return (extent.M + Shape::BM - 1) / Shape::BM * ((extent.N + Shape::BN - 1) / Shape::BN);
}

// y (M, K) as it leaves forward.
struct StoreOutputs {
  float* y = nullptr;
  std::int64_t K = 0;
  Conv2dEpilogue epilogue;

  __device__ __forceinline__ void operator()(std::int64_t m, std::int64_t k, float sum) const {
    const float biased = epilogue.bias == nullptr ? sum : sum + epilogue.bias[k];
    y[m * K + k] = rectified(epilogue.rectifier, biased);
  }
};

// As they are.
struct StoreSums {
  float* to = nullptr;
  std::int64_t N = 0;

  __device__ __forceinline__ void operator()(std::int64_t m, std::int64_t n, float sum) const {
    to[m * N + n] = sum;
  }
};

// store(m, n, sum) for C (M,N) = A B. Without the 1 in the launch bounds, ptxas cuts some instances down to 128
// registers and spills: these kernels live on their registers, not on their number of warps.
template <typename Shape, typename LoaderA, typename LoaderB, typename Store>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    implicit_gemm_kernel(LoaderA a, LoaderB b, Extent extent, Store store) {
  using Product = TileProduct<Shape, LoaderA, LoaderB>;
  GRADFLIP_SHARED(float4, shared, [Product::kSharedVectors]);
  const auto tiles_n = static_cast<unsigned>((extent.N + Shape::BN - 1) / Shape::BN);
  const std::int64_t m_begin = std::int64_t{blockIdx.x / tiles_n} * Shape::BM;
  const std::int64_t n_begin = std::int64_t{blockIdx.x % tiles_n} * Shape::BN;
  Product product(shared);
  product.add(a, b, m_begin, n_begin, 0, extent.K);
  product.for_each([&](int m, int n, float sum) {
    if (m_begin + m >= extent.M || n_begin + n >= extent.N) return;
    store(m_begin + m, n_begin + n, sum);
  });
}

template <typename Shape, typename LoaderA, typename LoaderB, typename Store>
void launch_tiles(Cuda ctx, const LoaderA& a, const LoaderB& b, const Extent& extent,
                  const Store& store) {
  launch(implicit_gemm_kernel<Shape, LoaderA, LoaderB, Store>,
         dim3(static_cast<unsigned>(tiles<Shape>(extent))), dim3(Shape::kThreads), 0, ctx, a, b,
         extent, store);
}

template <Math kMath, typename LoaderA, typename LoaderB, typename Store>
void launch_math(Cuda ctx, const LoaderA& a, const LoaderB& b, const Extent& extent,
                 const Store& store) {
  if (extent.N > Tall<kMath>::BN && tiles<Wide<kMath>>(extent) >= ctx.gpu->multiprocessors) {
    launch_tiles<Wide<kMath>>(ctx, a, b, extent, store);
  } else if (tiles<Tall<kMath>>(extent) >= ctx.gpu->multiprocessors) {
    launch_tiles<Tall<kMath>>(ctx, a, b, extent, store);
  } else {
    launch_tiles<Small<kMath>>(ctx, a, b, extent, store);
  }
}

template <typename LoaderA, typename LoaderB, typename Store>
void launch_implicit_gemm(Cuda ctx, Math math, const LoaderA& a, const LoaderB& b,
                          const Extent& extent, const Store& store) {
  switch (math) {
    case Math::kF32:
      return launch_math<Math::kF32>(ctx, a, b, extent, store);
    case Math::kTf32:
      return launch_math<Math::kTf32>(ctx, a, b, extent, store);
    case Math::kBf16:
      return launch_math<Math::kBf16>(ctx, a, b, extent, store);
    case Math::kTf32x3:
      return launch_math<Math::kTf32x3>(ctx, a, b, extent, store);
  }
}

// Beyond these a launch for each class of pixels costs more than the taps that they leave out.
constexpr std::int64_t kMostWalks = 16;

bool takes_walks(const Conv2dShape& shape) {
  const std::int64_t walks = std::min(shape.stride_h, shape.H) * std::min(shape.stride_w, shape.W);
  return walks > 1 && walks <= kMostWalks;
}

// The data gradient with a stride, class by class.
template <int kWidth>
void launch_walks(Cuda ctx, const Conv2dShape& shape, const float* dy, const float* filter,
                  float* dx) {
  const auto rows =
      ConvolutionAxis::gradient(shape.H, shape.R, shape.stride_h, shape.pad_h, shape.dilation_h);
  const auto columns =
      ConvolutionAxis::gradient(shape.W, shape.S, shape.stride_w, shape.pad_w, shape.dilation_w);
  for (std::int64_t i = 0; i < rows.walks(); ++i) {
    for (std::int64_t j = 0; j < columns.walks(); ++j) {
      const GradientWalk walk(shape, rows, columns, i, j);
      const PatchLoader<Along::kK, kWidth> a(walk.patches, walk.positions, dy);
      const WalkedFilterLoader<kWidth> b(walk, filter);
      launch_implicit_gemm(ctx, shape.math, a, b, {walk.positions.count, shape.C, b.taps},
                           StoreWalk(walk, dx));
    }
  }
}

// The filter gradient's own kernel: blocks of one part of K after the other.
template <typename Shape, typename LoaderA, typename LoaderB>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    filter_gradient_kernel(LoaderA a, LoaderB b, Extent extent, std::int64_t part_size, Write write,
                           float* __restrict__ sums) {
  using Product = TileProduct<Shape, LoaderA, LoaderB>;
  GRADFLIP_SHARED(float4, shared, [Product::kSharedVectors]);
  const auto tiles_m = static_cast<unsigned>((extent.M + Shape::BM - 1) / Shape::BM);
  const auto tiles_n = static_cast<unsigned>((extent.N + Shape::BN - 1) / Shape::BN);
  const std::int64_t m_begin = std::int64_t{blockIdx.x % tiles_m} * Shape::BM;
  const std::int64_t n_begin = std::int64_t{blockIdx.x / tiles_m % tiles_n} * Shape::BN;
  const std::int64_t part = blockIdx.x / tiles_m / tiles_n;
  Product product(shared);
  product.add(a, b, m_begin, n_begin, part * part_size, min((part + 1) * part_size, extent.K));
  float* own = sums + part * extent.M * extent.N;
  product.for_each([&](int m, int n, float sum) {
    if (m_begin + m >= extent.M || n_begin + n >= extent.N) return;
    float& to = own[(m_begin + m) * extent.N + n_begin + n];
    to = write == Write::kAccumulate ? to + sum : sum;
  });
}

// Four taps per vector leave registers for large tiles; single taps each need their own state.
template <Math kMath, int kWidth>
using FilterTile = Tile<kMath, kWidth == 4 ? 64 : 32, 32, 1, 1, 4>;

// So many parts that the device is occupied twice, but none shorter than a few steps.
constexpr std::int64_t kShortestPart = 256;

struct FilterParts {
  std::int64_t most;   // no fewer for more images: the workspace is for these
  std::int64_t size;   // a multiple of the engine's step
  std::int64_t count;  // at most `most`
};

FilterParts filter_parts(Cuda ctx, const Conv2dShape& shape) {
  using Shape = FilterTile<Math::kF32, 4>;
  const Extent extent{shape.R * shape.S * shape.C, shape.K, shape.N * shape.P() * shape.Q()};
  const std::int64_t blocks = std::int64_t{2} * ctx.gpu->multiprocessors;
  const std::int64_t wanted = std::max(blocks / tiles<Shape>(extent), std::int64_t{1});
  const std::int64_t most = std::min(wanted, (extent.K + kShortestPart - 1) / kShortestPart);
  if (most == 0) return {0, 0, 0};
  const std::int64_t steps = (extent.K + Shape::BK - 1) / Shape::BK;
  const std::int64_t size = (steps + most - 1) / most * Shape::BK;
  return {most, size, (extent.K + size - 1) / size};
}

template <Math kMath, int kWidth>
void launch_filter_gradient(Cuda ctx, const Conv2dShape& shape, const float* x, const float* dy,
                            const FilterParts& parts, Write write, float* sums) {
  using Shape = FilterTile<kMath, kWidth>;
  using LoaderA = PatchLoader<Along::kOuter, kWidth>;
  using LoaderB = DenseLoader<Along::kOuter>;
  const RowMajorPositions positions(shape);
  const Extent extent{shape.R * shape.S * shape.C, shape.K, positions.count};
  launch(filter_gradient_kernel<Shape, LoaderA, LoaderB>,
         dim3(static_cast<unsigned>(tiles<Shape>(extent) * parts.count)), dim3(Shape::kThreads), 0,
         ctx, LoaderA(shape, positions, x), LoaderB(dy, extent.K, extent.N), extent, parts.size,
         write, sums);
}

template <int kWidth>
void launch_filter_gradient(Cuda ctx, const Conv2dShape& shape, const float* x, const float* dy,
                            const FilterParts& parts, Write write, float* sums) {
  switch (shape.math) {
    case Math::kF32:
      return launch_filter_gradient<Math::kF32, kWidth>(ctx, shape, x, dy, parts, write, sums);
    case Math::kTf32:
      return launch_filter_gradient<Math::kTf32, kWidth>(ctx, shape, x, dy, parts, write, sums);
    case Math::kBf16:
      return launch_filter_gradient<Math::kBf16, kWidth>(ctx, shape, x, dy, parts, write, sums);
    case Math::kTf32x3:
      return launch_filter_gradient<Math::kTf32x3, kWidth>(ctx, shape, x, dy, parts, write, sums);
  }
}

void require_supported(const Conv2dShape& shape) {
  require_valid(shape);
  require_extents(shape);
}

}  // namespace

std::int64_t conv2d_workspace_bytes(Cuda ctx, const Conv2dShape& shape) {
  require_supported(shape);
  const std::int64_t most = filter_parts(ctx, shape).most;
  if (most <= 1) return 0;
  return most * shape.R * shape.S * shape.C * shape.K * static_cast<std::int64_t>(sizeof(float));
}

void conv2d_forward(Cuda ctx, const Conv2dShape& shape, const float* x, const float* filter,
                    const Conv2dEpilogue& epilogue, float* y, void* /*workspace*/) {
  require_supported(shape);
  if (shape.N == 0) return;
  const RowMajorPositions positions(shape);
  const Extent extent{positions.count, shape.K, shape.R * shape.S * shape.C};
  const DenseLoader<Along::kOuter> b(filter, extent.K, extent.N);
  const StoreOutputs store{y, shape.K, epilogue};
  if (vectors_fit(shape.C, x)) {
    const PatchLoader<Along::kK, 4> a(shape, positions, x);
    launch_implicit_gemm(ctx, shape.math, a, b, extent, store);
  } else {
    const PatchLoader<Along::kK, 1> a(shape, positions, x);
    launch_implicit_gemm(ctx, shape.math, a, b, extent, store);
  }
}

void conv2d_backward_data(Cuda ctx, const Conv2dShape& shape, const float* dy, const float* filter,
                          float* dx, void* /*workspace*/) {
  require_supported(shape);
  if (shape.N == 0) return;
  const bool vectors = vectors_fit(shape.K, dy) && vectors_fit(shape.K, filter);
  if (takes_walks(shape)) {
    vectors ? launch_walks<4>(ctx, shape, dy, filter, dx)
            : launch_walks<1>(ctx, shape, dy, filter, dx);
    return;
  }
  const Extent extent{shape.N * shape.H * shape.W, shape.C, shape.R * shape.S * shape.K};
  const StoreSums store{dx, shape.C};
  if (vectors) {
    launch_implicit_gemm(ctx, shape.math, OutputGradientLoader<4>(shape, dy),
                         FilterByInputLoader<4>(shape, filter), extent, store);
  } else {
    launch_implicit_gemm(ctx, shape.math, OutputGradientLoader<1>(shape, dy),
                         FilterByInputLoader<1>(shape, filter), extent, store);
  }
}

void conv2d_backward_filter(Cuda ctx, const Conv2dShape& shape, const float* x, const float* dy,
                            Write write, float* dfilter, void* workspace) {
  require_supported(shape);
  const FilterParts parts = filter_parts(ctx, shape);
  const bool direct = parts.count == 1;
  float* sums = direct ? dfilter : static_cast<float*>(workspace);
  const Write write_sums = direct ? write : Write::kOverwrite;
  if (parts.count > 0) {
    vectors_fit(shape.C, x) ? launch_filter_gradient<4>(ctx, shape, x, dy, parts, write_sums, sums)
                            : launch_filter_gradient<1>(ctx, shape, x, dy, parts, write_sums, sums);
  }
  if (direct) return;
  sum_partials(ctx, sums, static_cast<int>(parts.count), shape.R * shape.S * shape.C * shape.K,
               Scale{}, write, dfilter);
}

}  // namespace gradflip
