// The gradient of conv_block with respect to its input, in one launch.
//
//   dx[n,h,w,c] = sum over r,s,k of dy[n,p,q,k] * filter[r,s,c,k]
//   p = (h + pad_h - r*dilation_h) / stride_h where that is whole and in range, q likewise;
//   dy[n,p,q,k] = dpooled of the window around (p,q) if its winner is (p,q), else 0
//
// The plain case goes to conv_block_backward_data_resident.cu; this is what computes all others.
//
// Decomposition  an implicit matrix product, (pixels of x) x (channels) over (r,s,k), on the engine
//                of tile_gemm.cuh. dx is gathered: every element is written once, without atomics,
//                and dy is made while it is loaded (GradientByPixelLoader).
// Cost           2 * N*H*W*C * R*S*K operations, dense: three of four products are with a zero of
//                the pool. But which ones differs from filter to filter: skipping them takes a read
//                of shared memory per product, where the tile reads once for eleven. Memory sees 5
//                bytes per pooled element, the filter and dx.
// Occupancy      sm_90a (ptxas), blocks of 128 threads, 12x12x32 -> 48 filters, f32 / tf32 / bf16:
//                149 / 142 / 136 registers, 3 blocks.
// Numerics       f32 sums in a fixed order; operands are rounded as the mode allows.
#include "kernels/conv_block.h"
#include "kernels/conv_block/cuda/conv_block_gradient.cuh"
#include "kernels/conv_block/cuda/conv_block_resident.h"
#include "kernels/conv_block/cuda/conv_block_tiles.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_conv.cuh"
#include "kernels/cuda/tile_gemm.cuh"

namespace gradflip {
namespace {

template <typename Shape, int kWidth, typename Pool>
__global__ void __launch_bounds__(Shape::kThreads, kResidentBlocks)
    conv_block_backward_data_kernel(GradientByPixelLoader<kWidth, Pool> gradients,
                                    FilterByInputLoader<kWidth> filter, float* __restrict__ dx) {
  using Product =
      TileProduct<Shape, GradientByPixelLoader<kWidth, Pool>, FilterByInputLoader<kWidth>>;
  GRADFLIP_SHARED(float4, shared, [Product::kSharedVectors]);
  const auto tiles_n = static_cast<unsigned>(tiles_of(filter.C, Shape::BN));
  const std::int64_t m_begin = std::int64_t{blockIdx.x / tiles_n} * Shape::BM;
  const std::int64_t n_begin = std::int64_t{blockIdx.x % tiles_n} * Shape::BN;

  Product product(shared);
  product.add(gradients, filter, m_begin, n_begin, 0, gradients.taps);
  product.for_each([&](int m, int n, float sum) {
    if (m_begin + m >= gradients.pixels || n_begin + n >= filter.C) return;
    dx[(m_begin + m) * filter.C + n_begin + n] = sum;
  });
}

struct Call {
  const ConvBlockShape& shape;
  const float* dpooled;
  const std::uint8_t* winner;
  const float* filter;
  float* dx;
};

template <typename Shape, int kWidth, typename Pool>
void launch_backward_data(Cuda ctx, const Call& call) {
  const Conv2dShape& conv = call.shape.conv;
  const GradientByPixelLoader<kWidth, Pool> gradients(call.shape, call.dpooled, call.winner);
  const FilterByInputLoader<kWidth> filter(conv, call.filter);
  const std::int64_t blocks = tiles_of(gradients.pixels, Shape::BM) * tiles_of(conv.C, Shape::BN);
  launch(conv_block_backward_data_kernel<Shape, kWidth, Pool>, dim3(static_cast<unsigned>(blocks)),
         dim3(Shape::kThreads), 0, ctx, gradients, filter, call.dx);
}

template <Math kMath>
void launch_backward_data(Cuda ctx, const Call& call) {
  const Conv2dShape& conv = call.shape.conv;
  const bool vectors =
      vectors_fit(conv.K, call.dpooled, call.winner) && vectors_fit(conv.K, call.filter);
  if (!vectors) return launch_backward_data<Sliced<kMath, 32>, 1, AnyPool>(ctx, call);
  if (!is_plain(call.shape)) {
    return launch_backward_data<Sliced<kMath, 32>, 4, AnyPool>(ctx, call);
  }
  if (round_up(conv.C, 32) < round_up(conv.C, 64)) {
    return launch_backward_data<Sliced<kMath, 32>, 4, PlainPool>(ctx, call);
  }
  launch_backward_data<Sliced<kMath, large_tile<kMath>(64)>, 4, PlainPool>(ctx, call);
}

}  // namespace

void conv_block_backward_data(Cuda ctx, const ConvBlockShape& shape, const float* dpooled,
                              const std::uint8_t* winner, const float* filter, float* dx,
                              void* /*workspace*/) {
  require_valid(shape);
  require_extents(shape.conv);
  if (shape.conv.N == 0) return;
  if (conv_block_backward_data_resident_pays(ctx, shape, dpooled, winner, filter, dx)) {
    return conv_block_backward_data_resident(ctx, shape, dpooled, winner, filter, dx);
  }
  const Call call{shape, dpooled, winner, filter, dx};
  with_math(shape.conv.math, [&]<Math kMath>() { launch_backward_data<kMath>(ctx, call); });
}

}  // namespace gradflip
