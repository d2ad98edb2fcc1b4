// conv_block_forward on the CPU.
//
// Decomposition  for each image and each row of pool windows: the convolution under them (pool_h
//                rows, the "strip") in register tiles, then bias, ReLU and pool over the strip,
//                which the L1 cache holds. A tile is two groups of neighbouring pixels x up to
//                three vectors of channels: for each tap and input channel it loads the filter's
//                vectors once and broadcasts one input per pixel.
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
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// Channel vectors in a block: loads per multiply-add fall with it, and 3 is what leaves room for
// enough pixels (K = 48 with AVX-512, K = 24 with AVX2 in one block).
constexpr std::int64_t kMaxVectors = 3;

// Pixels in each of a tile's two groups. 6 keeps 12 accumulators busy even with one vector of
// channels: two units with a latency of four need 8.
template <int kVectors>
constexpr int kGroupPixels = std::min(6, kAccumulators / (2 * kVectors));

// The input under a tile, apart from its position, and the block's filter and bias.
struct TileOperands {
  std::int64_t R, runs, run_length;
  std::int64_t tap_row_stride, run_stride, pixel_stride;
  const float* filter;  // (R, runs, run_length, kVectors * kLanes), 64-byte aligned
  const float* bias;    // (kVectors * kLanes)
  std::int64_t out_stride;
};

struct PixelGroup {
  const float* x;
  float* out;
};

template <int kVectors, int kPixels>
void convolve_tile(const TileOperands& operands, PixelGroup group0, PixelGroup group1) {
  Floats sum0[kPixels][kVectors];
  Floats sum1[kPixels][kVectors];
  GRADFLIP_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const Floats bias = load(operands.bias + v * kLanes);
    GRADFLIP_UNROLL
    for (int pixel = 0; pixel < kPixels; ++pixel) sum0[pixel][v] = sum1[pixel][v] = bias;
  }
  const std::int64_t stride = operands.pixel_stride;
  const float* filter = operands.filter;
  for (std::int64_t r = 0; r < operands.R; ++r) {
    for (std::int64_t run = 0; run < operands.runs; ++run) {
      const std::int64_t offset = r * operands.tap_row_stride + run * operands.run_stride;
      const float* x0 = group0.x + offset;
      const float* x1 = group1.x + offset;
      for (std::int64_t j = 0; j < operands.run_length; ++j, ++x0, ++x1) {
        Floats weight[kVectors];
        GRADFLIP_UNROLL
        for (int v = 0; v < kVectors; ++v) weight[v] = load(filter + v * kLanes);
        filter += kVectors * kLanes;
        GRADFLIP_UNROLL
        for (int pixel = 0; pixel < kPixels; ++pixel) {
          const Floats value = broadcast(x0[pixel * stride]);
          GRADFLIP_UNROLL
          for (int v = 0; v < kVectors; ++v) {
            sum0[pixel][v] = hn::MulAdd(value, weight[v], sum0[pixel][v]);
          }
        }
        GRADFLIP_UNROLL
        for (int pixel = 0; pixel < kPixels; ++pixel) {
          const Floats value = broadcast(x1[pixel * stride]);
          GRADFLIP_UNROLL
          for (int v = 0; v < kVectors; ++v) {
            sum1[pixel][v] = hn::MulAdd(value, weight[v], sum1[pixel][v]);
          }
        }
      }
    }
  }
  GRADFLIP_UNROLL
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      store(sum0[pixel][v], group0.out + pixel * operands.out_stride + v * kLanes);
      store(sum1[pixel][v], group1.out + pixel * operands.out_stride + v * kLanes);
    }
  }
}

template <int kVectors, int kPixels = kGroupPixels<kVectors>>
void convolve_groups(std::int64_t pixels, const TileOperands& operands, PixelGroup group0,
                     PixelGroup group1) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels) {
      return convolve_groups<kVectors, kPixels - 1>(pixels, operands, group0, group1);
    }
  }
  convolve_tile<kVectors, kPixels>(operands, group0, group1);
}

// `rows` rows of the convolution, one block of channels.
template <int kVectors>
void convolve_strip(const ConvBlockGeometry& geometry, std::int64_t rows,
                    const TileOperands& operands, const float* x, float* strip) {
  constexpr int kPixels = kGroupPixels<kVectors>;
  // All groups of one width, row after row, two at a time.
  const auto convolve_columns = [&](std::int64_t begin, std::int64_t groups, std::int64_t pixels) {
    const auto group_at = [&](std::int64_t index) {
      const std::int64_t row = index / groups;
      const std::int64_t pixel = begin + index % groups * pixels;
      return PixelGroup{x + row * geometry.pixel_row_stride + pixel * geometry.pixel_stride,
                        strip + (row * geometry.strip_width + pixel) * operands.out_stride};
    };
    const std::int64_t count = rows * groups;
    for (std::int64_t index = 0; index < count; index += 2) {
      // A last single group is computed twice over: the same values to the same place.
      convolve_groups<kVectors>(pixels, operands, group_at(index),
                                group_at(std::min(index + 1, count - 1)));
    }
  };
  const std::int64_t full = geometry.strip_width / kPixels;
  convolve_columns(0, full, kPixels);
  const std::int64_t rest = geometry.strip_width - full * kPixels;
  if (rest > 0) convolve_columns(full * kPixels, 1, rest);
}

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

// Blocks of channels of nearly equal size: 4 vectors are 2 + 2, not 3 + 1.
struct ChannelBlocks {
  explicit ChannelBlocks(std::int64_t K)
      : vectors(vectors_for(K)), count((vectors + kMaxVectors - 1) / kMaxVectors) {}
  std::int64_t begin(std::int64_t block) const { return vectors * block / count; }
  std::int64_t vectors, count;
};

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
                                .filter = scratch.filter + taps * begin,
                                .bias = scratch.bias + begin,
                                .out_stride = blocks.vectors * kLanes};
    float* strip = scratch.strip + begin;
    switch (blocks.begin(block + 1) - blocks.begin(block)) {
      case 1:
        convolve_strip<1>(geometry, shape.pool_h, operands, x, strip);
        break;
      case 2:
        convolve_strip<2>(geometry, shape.pool_h, operands, x, strip);
        break;
      default:
        convolve_strip<3>(geometry, shape.pool_h, operands, x, strip);
        break;
    }
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
