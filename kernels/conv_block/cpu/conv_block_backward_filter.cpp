// conv_block_backward_filter on the CPU.
//
// Decomposition  panel by panel (see conv_block_geometry.h): winners become offsets into x, then
//                for one channel k or some neighbours and each block of filter rows one pass over
//                the panel's pooled pixels, with their (rows, S*C) sums in registers. In bf16,
//                where the processor has its products and the panel suits, bf16_gradients.h makes
//                that pass.
// Numerics       every sum is one chain over the pooled pixels in order. A dead window contributes
// 0 * x, as the dense gradient would. Cost           2*R*S*C operations per window, dead or not,
// and one load for every multiply-add:
//                from the L1 cache Zen 5 sustains three quarters of its multiply-adds that way, and
//                12x12x32 -> 5x5x48 reaches 59 % (7.8 us per image).

#include <algorithm>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cpu/bf16_conv_block.h"
#include "kernels/conv_block/cpu/conv_block_geometry.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv_block/cpu/conv_block_backward_filter.cpp"
#include "kernels/conv_block/cpu/conv_block_filter_panel.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/transpose.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// Sums in registers, as (filter rows) x (vectors of a run).
constexpr int kMaxSums = std::min(20, kAccumulators);
constexpr int kMaxVectors = std::min(10, kAccumulators);
template <int kVectors>
constexpr int kMaxRows = std::clamp(kMaxSums / kVectors, 1, 5);

// Channels that go over a panel together: with few sums each, several of them keep the
// multiply-adds from waiting for the one before, and a pass of several costs no more to begin and
// to end. For the 5 sums of 28x28x3 -> 5x5x32, on Zen 4: 13.6 us per image one by one, in two
// chains; 11.4 us by four.
template <int kSums>
constexpr int kChannels = kSums * 4 <= kMaxSums   ? 4
                          : kSums * 2 <= kMaxSums ? 2
                                                  : 1;

// Some channels' view of a panel, apart from x. The first one's; the others are neighbours.
struct PanelChannels {
  const float* gradient;
  const std::int32_t* offset;
  std::int64_t pixels, stride;  // of gradient and offset

  PanelChannels from(std::int64_t k) const { return {gradient + k, offset + k, pixels, stride}; }
};

// Where sums lie, from one filter row and from one channel to the next.
struct SumStrides {
  std::int64_t row, channel;
};

// sum[channel][row][v] += over the pixels: gradient * x[offset + row*row_stride + v*kLanes]
template <int kCount, int kRows, int kVectors>
HWY_INLINE void accumulate_rows(const PanelChannels& panel, const float* panel_x,
                                std::int64_t row_stride, const SumStrides& strides, float* sum) {
  Floats total[kCount][kRows][kVectors];
  const auto each_sum = [&](const auto& visit) HWY_ATTR {
    GRADFLIP_UNROLL
    for (int channel = 0; channel < kCount; ++channel) {
      GRADFLIP_UNROLL
      for (int row = 0; row < kRows; ++row) {
        GRADFLIP_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          visit(total[channel][row][v],
                sum + channel * strides.channel + row * strides.row + v * kLanes);
        }
      }
    }
  };
  each_sum([](Floats& register_sum, const float* at) HWY_ATTR { register_sum = load(at); });
  const float* gradients = panel.gradient;
  const std::int32_t* offsets = panel.offset;
  for (std::int64_t pixel = 0; pixel < panel.pixels; ++pixel) {
    GRADFLIP_UNROLL
    for (int channel = 0; channel < kCount; ++channel) {
      const Floats gradient = broadcast(gradients[channel]);
      const float* x = panel_x + offsets[channel];
      GRADFLIP_UNROLL
      for (int row = 0; row < kRows; ++row) {
        GRADFLIP_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          total[channel][row][v] =
              hn::MulAdd(gradient, load(x + row * row_stride + v * kLanes), total[channel][row][v]);
        }
      }
    }
    gradients += panel.stride;
    offsets += panel.stride;
  }
  each_sum([](const Floats& register_sum, float* at) HWY_ATTR { store(register_sum, at); });
}

// All filter rows of `kVectors` vectors of a run.
template <int kCount, int kVectors, int kRows = kMaxRows<kVectors>>
void accumulate_part(std::int64_t R, const PanelChannels& panel, const float* x,
                     std::int64_t row_stride, const SumStrides& strides, float* sum) {
  for (; R >= kRows; R -= kRows) {
    accumulate_rows<kCount, kRows, kVectors>(panel, x, row_stride, strides, sum);
    x += kRows * row_stride;
    sum += kRows * strides.row;
  }
  if constexpr (kRows > 1) {
    if (R > 0) {
      accumulate_part<kCount, kVectors, kRows - 1>(R, panel, x, row_stride, strides, sum);
    }
  }
}

// All K channels, as many at a time as suit; then one by one.
template <int kVectors>
void accumulate_channels(std::int64_t K, std::int64_t R, const PanelChannels& panel, const float* x,
                         std::int64_t row_stride, const SumStrides& strides, float* sum) {
  constexpr int kCount = kChannels<kVectors * kMaxRows<kVectors>>;
  std::int64_t k = 0;
  for (; k + kCount <= K; k += kCount) {
    accumulate_part<kCount, kVectors>(R, panel.from(k), x, row_stride, strides,
                                      sum + k * strides.channel);
  }
  for (; k < K; ++k) {
    accumulate_part<1, kVectors>(R, panel.from(k), x, row_stride, strides,
                                 sum + k * strides.channel);
  }
}

using AccumulateChannels = decltype(&accumulate_channels<1>);

template <int kVectors = kMaxVectors>
AccumulateChannels choose_accumulate_channels(std::int64_t vectors) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return choose_accumulate_channels<kVectors - 1>(vectors);
  }
  return accumulate_channels<kVectors>;
}

void accumulate_panel(const ConvBlockShape& shape, const FilterPanels& panels, std::int64_t pixels,
                      const BackwardFilterScratch& scratch, const float* x) {
  const std::int64_t R = shape.conv.R;
  const PanelChannels panel{scratch.gradient, scratch.offset, pixels, whole_rows(shape.conv.K)};
  const SumStrides strides{panels.run_floats, R * panels.run_floats};
  const std::int64_t tap_row_stride = shape.conv.dilation_h * panels.row_stride;
  const std::int64_t run_vectors = vectors_for(shape.conv.S * shape.conv.C);
  const std::int64_t parts = (run_vectors + kMaxVectors - 1) / kMaxVectors;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t first = run_vectors * part / parts;
    const std::int64_t begin = first * kLanes;
    choose_accumulate_channels(run_vectors * (part + 1) / parts - first)(
        shape.conv.K, R, panel, x + begin, tap_row_stride, strides, scratch.sum + begin);
  }
}

// The same with operands rounded to bf16, for panels in place that suit it.
void accumulate_rounded(const ConvBlockShape& shape, const FilterPanels& panels,
                        std::int64_t pixels, std::int64_t x_floats,
                        const BackwardFilterScratch& scratch, const float* x) {
  const Bf16Gradients& bf16 = *scratch.bf16_gradients;
  const std::int64_t stride = whole_rows(shape.conv.K);
  bf16.round(x_floats, x, scratch.rounded_x);
  bf16.pair_gradients(pixels, stride, scratch.gradient, scratch.gradient_pairs);
  for (std::int64_t k = 0; k < shape.conv.K; ++k) {
    bf16.accumulate({pixels, scratch.gradient_pairs + k, scratch.offset + k, stride,
                     scratch.rounded_x, shape.conv.dilation_h * panels.row_stride},
                    shape.conv.R, panels.run_floats, panels.run_floats,
                    scratch.sum + k * shape.conv.R * panels.run_floats);
  }
}

template <Write kWrite>
void write_gradients(const ConvBlockShape& shape, std::int64_t run_floats,
                     const BackwardFilterScratch& scratch, float* dfilter, float* dbias) {
  const std::int64_t K = shape.conv.K;
  const std::int64_t length = shape.conv.S * shape.conv.C;
  for (std::int64_t r = 0; r < shape.conv.R; ++r) {
    transpose<kWrite>(K, length, scratch.sum + r * run_floats, shape.conv.R * run_floats,
                      dfilter + r * length * K, K);
  }
  for (std::int64_t k = 0; k < K; ++k) write_element<kWrite>(scratch.dbias[k], dbias + k);
}

// Panel by panel.
void accumulate_panels(const ConvBlockShape& shape, const FilterPanels& panels, const float* x,
                       const float* dpooled, const std::uint8_t* winner,
                       const BackwardFilterScratch& scratch) {
  const ConvBlockGeometry geometry(shape);
  const std::int64_t image_floats = shape.conv.H * shape.conv.W * shape.conv.C;
  for (std::int64_t n = 0; n < shape.conv.N; n += panels.images) {
    for (std::int64_t p = 0; p < shape.PP(); p += panels.pool_rows) {
      const Panel panel{n, std::min(panels.images, shape.conv.N - n), p,
                        std::min(panels.pool_rows, shape.PP() - p)};
      prepare_panel(shape, panels, panel, dpooled, winner, scratch);
      const float* from = x + n * image_floats;
      if (panels.in_place) {
        from += p * shape.pool_h * panels.pixel_row_stride;
      } else {
        copy_runs(shape, panels.run_floats, geometry.strip_width,
                  p * shape.pool_h * shape.conv.stride_h,
                  FilterPanels::image_rows(shape, panel.pool_rows), from, scratch.runs);
        from = scratch.runs;
      }
      const std::int64_t pixels = panel.images * panel.pool_rows * shape.PQ();
      if (scratch.bf16_gradients != nullptr) {
        const std::int64_t x_floats =
            (panel.images - 1) * panels.image_stride +
            FilterPanels::image_rows(shape, panel.pool_rows) * panels.row_stride;
        accumulate_rounded(shape, panels, pixels, x_floats, scratch, from);
      } else {
        accumulate_panel(shape, panels, pixels, scratch, from);
      }
    }
  }
}

void conv_block_backward_filter_simd(const ConvBlockShape& shape, const float* x,
                                     const float* dpooled, const std::uint8_t* winner, Write write,
                                     float* dfilter, float* dbias,
                                     const BackwardFilterScratch& scratch) {
  const FilterPanels panels(shape, ConvBlockGeometry(shape));
  const std::int64_t k_floats = whole_rows(shape.conv.K);
  std::fill_n(scratch.sum, k_floats * shape.conv.R * panels.run_floats, 0.0F);
  std::fill_n(scratch.dbias, k_floats, 0.0F);
  if (scratch.pass != nullptr) {
    scratch.pass->accumulate(shape, x, dpooled, winner, scratch.sum, scratch.dbias, scratch.rest);
  } else {
    accumulate_panels(shape, panels, x, dpooled, winner, scratch);
  }
  if (write == Write::kOverwrite) {
    write_gradients<Write::kOverwrite>(shape, panels.run_floats, scratch, dfilter, dbias);
  } else {
    write_gradients<Write::kAccumulate>(shape, panels.run_floats, scratch, dfilter, dbias);
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(conv_block_backward_filter_simd);

void conv_block_backward_filter(const Bf16ConvBlock* bf16, const ConvBlockShape& shape,
                                const float* x, const float* dpooled, const std::uint8_t* winner,
                                Write write, float* dfilter, float* dbias, void* workspace) {
  require_valid(shape);
  const BackwardFilterScratch scratch(shape, bf16, Scratch(workspace));
  HWY_DYNAMIC_DISPATCH(conv_block_backward_filter_simd)
  (shape, x, dpooled, winner, write, dfilter, dbias, scratch);
}

}  // namespace gradflip
#endif  // HWY_ONCE
