// bf16 convolution by AVX-512's vdpbf16ps: sum += x[2j] * w[2j] + x[2j+1] * w[2j+1] in 16 lanes.
//
// Decomposition  that of conv_block_forward.cpp: a tile is two groups of neighbouring pixels x up
//                to three vectors of channels. A step takes two neighbours of a filter row's run:
//                the filter's pairs once, and one broadcast pair per pixel.
// Numerics       products are exact, sums f32; the instruction takes denormals as zero. Every
//                output is one chain over (r, run, pair) from the bias: it depends neither on N
//                nor on alignment.

#include <algorithm>
#include <cstring>

#include "kernels/conv_block/cpu/bf16_conv_block_avx512.h"
#include "kernels/conv_block/cpu/conv_block_geometry.h"
#include "kernels/cpu/bf16_avx512.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace gradflip {
namespace {

constexpr std::int64_t kMaxVectors = 3;
constexpr int kAccumulators = 24;  // of 32 registers

// Pixels in each of a tile's two groups; 12 accumulators keep two units busy with a latency of six.
template <int kVectors>
constexpr int kGroupPixels = std::min(6, kAccumulators / (2 * kVectors));

struct PixelGroup {
  const std::uint16_t* x;
  float* out;
};

struct TileOperands {
  const ConvBlockGeometry& geometry;
  std::int64_t R;
  const Bf16Pair* filter;  // (R, runs, pairs_in_run, kVectors * kLanes)
  const float* bias;       // (kVectors * kLanes)
  std::int64_t out_stride;
};

HWY_INLINE __m512i broadcast_pair(const std::uint16_t* x) {
  std::int32_t pair;
  std::memcpy(&pair, x, sizeof(pair));
  return _mm512_set1_epi32(pair);
}

// One pair of the run for all pixels of a group. Of the last pair of an odd run the second element
// is another pixel's: it may be a NaN, which its zero weight would not silence.
template <int kVectors, int kPixels, bool kOnlyFirst>
HWY_INLINE void add_pair(const std::uint16_t* x, std::int64_t pixel_stride,
                         const __m512i (&weight)[kVectors], __m512 (&sum)[kPixels][kVectors]) {
  GRADFLIP_UNROLL
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    __m512i value = broadcast_pair(x + pixel * pixel_stride);
    if (kOnlyFirst) value = _mm512_and_si512(value, _mm512_set1_epi32(0xFFFF));
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      sum[pixel][v] = multiply_add_pairs(sum[pixel][v], value, weight[v]);
    }
  }
}

template <int kVectors>
HWY_INLINE void load_weights(const Bf16Pair* filter, __m512i (&weight)[kVectors]) {
  GRADFLIP_UNROLL
  for (int v = 0; v < kVectors; ++v) weight[v] = _mm512_load_si512(filter + v * kLanes);
}

template <int kVectors, int kPixels>
void convolve_tile(const TileOperands& operands, PixelGroup group0, PixelGroup group1) {
  const ConvBlockGeometry& geometry = operands.geometry;
  __m512 sum0[kPixels][kVectors], sum1[kPixels][kVectors];
  GRADFLIP_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const __m512 bias = _mm512_loadu_ps(operands.bias + v * kLanes);
    GRADFLIP_UNROLL
    for (int pixel = 0; pixel < kPixels; ++pixel) sum0[pixel][v] = sum1[pixel][v] = bias;
  }
  const std::int64_t stride = geometry.pixel_stride;
  const std::int64_t whole_pairs = geometry.run_length / 2;
  const bool odd = geometry.run_length % 2 != 0;
  const Bf16Pair* filter = operands.filter;
  __m512i weight[kVectors];
  for (std::int64_t r = 0; r < operands.R; ++r) {
    for (std::int64_t run = 0; run < geometry.runs; ++run) {
      const std::int64_t offset = r * geometry.tap_row_stride + run * geometry.run_stride;
      const std::uint16_t* x0 = group0.x + offset;
      const std::uint16_t* x1 = group1.x + offset;
      for (std::int64_t pair = 0; pair < whole_pairs; ++pair, x0 += 2, x1 += 2) {
        load_weights<kVectors>(filter, weight);
        filter += kVectors * kLanes;
        add_pair<kVectors, kPixels, false>(x0, stride, weight, sum0);
        add_pair<kVectors, kPixels, false>(x1, stride, weight, sum1);
      }
      if (odd) {
        load_weights<kVectors>(filter, weight);
        filter += kVectors * kLanes;
        add_pair<kVectors, kPixels, true>(x0, stride, weight, sum0);
        add_pair<kVectors, kPixels, true>(x1, stride, weight, sum1);
      }
    }
  }
  GRADFLIP_UNROLL
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      _mm512_storeu_ps(group0.out + pixel * operands.out_stride + v * kLanes, sum0[pixel][v]);
      _mm512_storeu_ps(group1.out + pixel * operands.out_stride + v * kLanes, sum1[pixel][v]);
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

// Groups of `pixels` neighbours from column `begin` on, row after row, two at a time.
template <int kVectors>
void convolve_columns(const TileOperands& operands, std::int64_t rows, std::int64_t begin,
                      std::int64_t groups, std::int64_t pixels, const std::uint16_t* x,
                      float* strip) {
  const ConvBlockGeometry& geometry = operands.geometry;
  const std::int64_t count = rows * groups;
  const auto group_at = [&](std::int64_t index) {
    const std::int64_t row = index / groups;
    const std::int64_t pixel = begin + index % groups * pixels;
    return PixelGroup{x + row * geometry.pixel_row_stride + pixel * geometry.pixel_stride,
                      strip + (row * geometry.strip_width + pixel) * operands.out_stride};
  };
  for (std::int64_t index = 0; index < count; index += 2) {
    // A last single group is computed twice over: the same values to the same place.
    convolve_groups<kVectors>(pixels, operands, group_at(index),
                              group_at(std::min(index + 1, count - 1)));
  }
}

template <int kVectors>
void convolve_block(const TileOperands& operands, std::int64_t rows, const std::uint16_t* x,
                    float* strip) {
  constexpr int kPixels = kGroupPixels<kVectors>;
  const std::int64_t width = operands.geometry.strip_width;
  const std::int64_t full = width / kPixels;
  convolve_columns<kVectors>(operands, rows, 0, full, kPixels, x, strip);
  const std::int64_t rest = width - full * kPixels;
  if (rest > 0) convolve_columns<kVectors>(operands, rows, full * kPixels, 1, rest, x, strip);
}

// Blocks of channels of nearly equal size: 4 vectors are 2 + 2, not 3 + 1.
struct ChannelBlocks {
  explicit ChannelBlocks(std::int64_t K)
      : vectors(whole_rows(K) / kLanes), count((vectors + kMaxVectors - 1) / kMaxVectors) {}
  std::int64_t begin(std::int64_t block) const { return vectors * block / count; }
  std::int64_t vectors, count;
};

// Of neighbours in a run, the last one of an odd run by itself; for one channel.
std::int64_t pairs_of(const ConvBlockShape& shape, const ConvBlockGeometry& geometry) {
  return shape.conv.R * geometry.runs * ((geometry.run_length + 1) / 2);
}

Bf16ForwardSizes sizes(const ConvBlockShape& shape) {
  const ConvBlockGeometry geometry(shape);
  return {.filter_pairs = pairs_of(shape, geometry) * whole_rows(shape.conv.K),
          .image_elements = geometry.image_floats() + 1,  // which an odd run's last pair reads
          .strip_pool_rows = 1};
}

void begin(const ConvBlockShape& /*shape*/) {}
void end() {}

void prepare_image(const ConvBlockShape& shape, const float* image, std::uint16_t* prepared) {
  round_to_bf16(ConvBlockGeometry(shape).image_floats(), image, prepared);
}

void convolve_strip(const ConvBlockShape& shape, const std::uint16_t* image,
                    std::int64_t first_pool_row, std::int64_t pool_rows, const Bf16Pair* filter,
                    const float* bias, float* strip) {
  const ConvBlockGeometry geometry(shape);
  const std::uint16_t* x = image + first_pool_row * shape.pool_h * geometry.pixel_row_stride;
  const std::int64_t rows = pool_rows * shape.pool_h;
  const ChannelBlocks blocks(shape.conv.K);
  for (std::int64_t block = 0; block < blocks.count; ++block) {
    const std::int64_t begin = blocks.begin(block) * kLanes;
    const TileOperands operands{geometry, shape.conv.R, filter + pairs_of(shape, geometry) * begin,
                                bias + begin, blocks.vectors * kLanes};
    switch (blocks.begin(block + 1) - blocks.begin(block)) {
      case 1:
        convolve_block<1>(operands, rows, x, strip + begin);
        break;
      case 2:
        convolve_block<2>(operands, rows, x, strip + begin);
        break;
      default:
        convolve_block<3>(operands, rows, x, strip + begin);
        break;
    }
  }
}

void pack_filter(const ConvBlockShape& shape, const float* filter, Bf16Pair* packed) {
  const ConvBlockGeometry geometry(shape);
  const std::int64_t K = shape.conv.K;
  const ChannelBlocks blocks(K);
  for (std::int64_t block = 0; block < blocks.count; ++block) {
    // Runs lie one after another in the filter, too.
    const float* tap = filter;
    for (std::int64_t run = 0; run < shape.conv.R * geometry.runs; ++run) {
      for (std::int64_t j = 0; j < geometry.run_length; j += 2, tap += 2 * K) {
        const bool has_second = j + 1 < geometry.run_length;
        for (std::int64_t v = blocks.begin(block); v < blocks.begin(block + 1); ++v) {
          const std::int64_t k = v * kLanes;
          const __m512i first = _mm512_maskz_cvtepu16_epi32(kAll, rounded(K - k, tap + k));
          const __m512i second =
              has_second ? _mm512_maskz_cvtepu16_epi32(kAll, rounded(K - k, tap + K + k))
                         : __m512i{};
          _mm512_store_si512(packed,
                             _mm512_or_si512(first, _mm512_maskz_slli_epi32(kAll, second, 16)));
          packed += kLanes;
        }
        if (!has_second) tap -= K;
      }
    }
  }
}

}  // namespace

const Bf16Convolution kAvx512Convolution{sizes,       begin,         end,
                                         pack_filter, prepare_image, convolve_strip};

}  // namespace gradflip

HWY_POP_ATTRIBUTES
