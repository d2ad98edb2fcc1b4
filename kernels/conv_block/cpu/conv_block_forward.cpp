// conv_block_forward on the CPU.
//
// Decomposition  for each image and each row of pool windows: the convolution under them (pool_h
//                rows, the "strip") in the register tiles of kernels/cpu/convolution_tile.h, then
//                bias, ReLU and pool over the strip, which the L1 cache holds.
//                In bf16, where the processor has its products, bf16_convolution.h takes the place
//                of the tiles.
// Filter         copied once per call, per block of channels, with K padded to whole vectors:
//                aligned loads, no tails.
// Numerics       every output is one chain of multiply-adds from the bias over (r, s, c), whatever
//                its tile: it depends neither on N nor on alignment.
// Cost           2*R*S*C operations per value under a pool window; 28x28x3 -> 5x5x32 and
//                12x12x32 -> 5x5x48 run at 82 and 96 % of Zen 5's multiply-adds (12.6 and 19.2 us
//                per image of a micro-batch of 32).

#include <algorithm>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cpu/bf16_conv_block.h"
#include "kernels/conv_block/cpu/conv_block_geometry.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv_block/cpu/conv_block_forward.cpp"
#include "kernels/cpu/convolution_f32.h"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// Rows of the convolution are written as they are.
struct WriteSums {
  template <int kVectors>
  HWY_INLINE void operator()(const Floats (&sum)[kVectors], float* out) const {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) store(sum[v], out + v * kLanes);
  }
};

struct PoolOperands {
  std::int64_t pool_h, pool_w;
  std::int64_t row_stride, pixel_stride;  // of the strip
};

// ReLU and maximum over one window, for one vector of channels. The window's size is a constant if
// it is kWindow x kWindow: 28x28x3 -> 5x5x32 then takes 0.5 us of 13 less on Zen 5.
template <int kWindow>
HWY_INLINE Floats pool_window(const PoolOperands& pool, const float* strip, Ints& winner) {
  const FloatTag d;
  const IntTag di;
  const std::int64_t pool_h = kWindow > 0 ? kWindow : pool.pool_h;
  const std::int64_t pool_w = kWindow > 0 ? kWindow : pool.pool_w;
  Floats best = load(strip);
  winner = hn::Zero(di);
  std::int32_t position = 0;
  for (std::int64_t r = 0; r < pool_h; ++r) {
    for (std::int64_t s = 0; s < pool_w; ++s, ++position) {
      if (position == 0) continue;
      const Floats candidate = load(strip + r * pool.row_stride + s * pool.pixel_stride);
      // Not "candidate > best": a NaN has to win, and then to stay.
      const auto wins = hn::AndNot(hn::IsNaN(best), hn::Not(hn::Le(candidate, best)));
      best = hn::IfThenElse(wins, candidate, best);
      winner = hn::IfThenElse(hn::RebindMask(di, wins), hn::Set(di, position), winner);
    }
  }
  const auto dead = hn::Le(best, hn::Zero(d));
  winner = hn::IfThenElse(hn::RebindMask(di, dead), hn::Set(di, kDeadWinner), winner);
  return hn::IfThenZeroElse(dead, best);
}

// One row of pool windows.
template <int kWindow>
void pool_strip(const ConvBlockShape& shape, const PoolOperands& pool, const float* strip,
                float* pooled, std::uint8_t* winner) {
  const std::int64_t K = shape.conv.K;
  const std::int64_t PQ = shape.PQ();  // divisions
  for (std::int64_t q = 0; q < PQ; ++q, pooled += K, winner += K) {
    const float* window = strip + q * pool.pool_w * pool.pixel_stride;
    for (std::int64_t k = 0; k < K; k += kLanes) {
      Ints position;
      const Floats best = pool_window<kWindow>(pool, window + k, position);
      store_bytes(K - k, position, winner + k);
      if (k + kLanes <= K) {
        store(best, pooled + k);
      } else {
        store_first(K - k, best, pooled + k);
      }
    }
  }
}

// (R*S*C, K) to blocks of (R*S*C, channels of the block), one after another, zeros past K.
void pack_filter(const ConvBlockShape& shape, const float* filter, float* packed) {
  const std::int64_t K = shape.conv.K;
  const std::int64_t taps = shape.conv.R * shape.conv.S * shape.conv.C;
  const ChannelBlocks blocks(K);
  for (std::int64_t block = 0; block < blocks.count; ++block) {
    const std::int64_t begin = blocks.begin(block) * kLanes;
    const std::int64_t end = blocks.begin(block + 1) * kLanes;
    for (std::int64_t tap = 0; tap < taps; ++tap, packed += end - begin) {
      const std::int64_t real = std::min(end, K) - begin;
      std::copy_n(filter + tap * K + begin, real, packed);
      std::fill(packed + real, packed + (end - begin), 0.0F);
    }
  }
}

void convolve_all_channels(const ConvBlockShape& shape, const ConvBlockGeometry& geometry,
                           const ForwardScratch& scratch, const float* x) {
  const std::int64_t taps = shape.conv.R * shape.conv.S * shape.conv.C;
  const ChannelBlocks blocks(shape.conv.K);
  for (std::int64_t block = 0; block < blocks.count; ++block) {
    const std::int64_t begin = blocks.begin(block) * kLanes;
    const TileOperands operands{.R = shape.conv.R,
                                .runs = geometry.runs,
                                .run_length = geometry.run_length,
                                .tap_row_stride = geometry.tap_row_stride,
                                .run_stride = geometry.run_stride,
                                .pixel_stride = geometry.pixel_stride,
                                .pixel_row_stride = geometry.pixel_row_stride,
                                .filter = scratch.filter + taps * begin,
                                .bias = scratch.bias + begin,
                                .out_stride = blocks.vectors * kLanes,
                                .out_row_stride = geometry.strip_width * blocks.vectors * kLanes};
    convolve_rows(blocks.begin(block + 1) - blocks.begin(block), shape.pool_h, geometry.strip_width,
                  operands, x, scratch.strip + begin, WriteSums());
  }
}

// The strip's floats from one pixel to the next.
std::int64_t strip_pixel(std::int64_t K, const Bf16Convolution* bf16) {
  return bf16 != nullptr ? whole_rows(K) : vectors_for(K) * kLanes;
}

void pack_operands(const ConvBlockShape& shape, const Bf16Convolution* bf16, const float* filter,
                   const float* bias, const ForwardScratch& scratch) {
  const std::int64_t K = shape.conv.K;
  std::copy_n(bias, K, scratch.bias);
  std::fill(scratch.bias + K, scratch.bias + strip_pixel(K, bf16), 0.0F);
  if (bf16 != nullptr) {
    bf16->pack_filter(shape, filter, scratch.packed_filter);
  } else {
    pack_filter(shape, filter, scratch.filter);
  }
}

// bf16: null for tiles in f32.
void conv_block_forward_simd(const ConvBlockShape& shape, const Bf16Convolution* bf16,
                             const float* x, const float* filter, const float* bias, float* pooled,
                             std::uint8_t* winner, const ForwardScratch& scratch) {
  const ConvBlockGeometry geometry(shape);
  const std::int64_t K = shape.conv.K;
  const std::int64_t pixel = strip_pixel(K, bf16);
  const PoolOperands pool{shape.pool_h, shape.pool_w, geometry.strip_width * pixel, pixel};
  const bool two_by_two = shape.pool_h == 2 && shape.pool_w == 2;
  const auto pool_row = two_by_two ? pool_strip<2> : pool_strip<0>;
  pack_operands(shape, bf16, filter, bias, scratch);
  if (geometry.padded) std::fill_n(scratch.image, geometry.image_floats(), 0.0F);

  const std::int64_t image_floats = shape.conv.H * shape.conv.W * shape.conv.C;
  for (std::int64_t n = 0; n < shape.conv.N; ++n) {
    const float* image = x + n * image_floats;
    if (geometry.padded) {
      pad_image(shape, image, scratch.image);
      image = scratch.image;
    }
    if (bf16 != nullptr) bf16->prepare_image(shape, image, scratch.prepared_image);
    for (std::int64_t p = 0; p < shape.PP(); p += scratch.strip_pool_rows) {
      const std::int64_t pool_rows = std::min(scratch.strip_pool_rows, shape.PP() - p);
      if (bf16 != nullptr) {
        bf16->convolve_strip(shape, scratch.prepared_image, p, pool_rows, scratch.packed_filter,
                             scratch.bias, scratch.strip);
      } else {
        convolve_all_channels(shape, geometry, scratch,
                              image + p * shape.pool_h * geometry.pixel_row_stride);
      }
      for (std::int64_t row = 0; row < pool_rows; ++row) {
        const std::int64_t at = (n * shape.PP() + p + row) * shape.PQ() * K;
        pool_row(shape, pool, scratch.strip + row * shape.pool_h * pool.row_stride, pooled + at,
                 winner + at);
      }
    }
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(conv_block_forward_simd);

void conv_block_forward(const Bf16ConvBlock* bf16, const ConvBlockShape& shape, const float* x,
                        const float* filter, const float* bias, float* pooled, std::uint8_t* winner,
                        void* workspace) {
  require_valid(shape);
  if (shape.conv.N == 0) return;
  const Bf16Convolution* convolution = bf16 != nullptr ? bf16->convolution : nullptr;
  const ForwardScratch scratch(shape, convolution, Scratch(workspace));
  if (convolution != nullptr) convolution->begin(shape);
  HWY_DYNAMIC_DISPATCH(conv_block_forward_simd)
  (shape, convolution, x, filter, bias, pooled, winner, scratch);
  if (convolution != nullptr) convolution->end();
}

}  // namespace gradflip
#endif  // HWY_ONCE
