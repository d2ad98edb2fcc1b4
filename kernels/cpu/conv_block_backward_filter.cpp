// conv_block_backward_filter on the CPU.
//
// Decomposition  panel by panel (see conv_block_geometry.h): winners become offsets into x, then
//                for each channel k and each block of filter rows one pass over the panel's pooled
//                pixels, with the block's (rows, S*C) sums in registers. In bf16, where the
//                processor has its products and the panel suits, bf16_gradients.h makes that pass.
// Numerics       every sum runs over the pooled pixels in order, in at most two interleaved chains
//                per panel. A dead window contributes 0 * x, as the dense gradient would.
// Cost           2*R*S*C operations per window, dead or not, and one load for every multiply-add:
//                from the L1 cache Zen 5 sustains three quarters of its multiply-adds that way, and
//                12x12x32 -> 5x5x48 reaches 59 % (7.8 us per image).

#include <algorithm>

#include "kernels/conv_block.h"
#include "kernels/cpu/bf16_conv_block.h"
#include "kernels/cpu/conv_block_geometry.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/conv_block_backward_filter.cpp"
#include "kernels/cpu/conv_block_filter_panel.h"
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

// One channel's view of a panel, apart from x.
struct PanelChannel {
  const float* gradient;
  const std::int32_t* offset;
  std::int64_t pixels, stride;  // of gradient and offset
};

// sum[row][v] += over the pixels: gradient * x[offset + row*row_stride + v*kLanes]
template <int kRows, int kVectors>
HWY_INLINE void accumulate_rows(const PanelChannel& panel, const float* panel_x,
                                std::int64_t row_stride, std::int64_t sum_stride, float* sum) {
  // With few sums, a second set of them: else each multiply-add would wait for the one before it.
  constexpr int kChains = kRows * kVectors <= kMaxSums / 2 ? 2 : 1;
  Floats total[kChains][kRows][kVectors];
  GRADFLIP_UNROLL
  for (int row = 0; row < kRows; ++row) {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      total[0][row][v] = load(sum + row * sum_stride + v * kLanes);
      if constexpr (kChains > 1) total[1][row][v] = zeros();
    }
  }
  const float* gradients = panel.gradient;
  const std::int32_t* offsets = panel.offset;
  std::int64_t pixel = 0;
  for (; pixel + kChains <= panel.pixels; pixel += kChains) {
    GRADFLIP_UNROLL
    for (int chain = 0; chain < kChains; ++chain) {
      const Floats gradient = broadcast(*gradients);
      const float* x = panel_x + *offsets;
      gradients += panel.stride;
      offsets += panel.stride;
      GRADFLIP_UNROLL
      for (int row = 0; row < kRows; ++row) {
        GRADFLIP_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          total[chain][row][v] =
              hn::MulAdd(gradient, load(x + row * row_stride + v * kLanes), total[chain][row][v]);
        }
      }
    }
  }
  if constexpr (kChains > 1) {
    if (pixel < panel.pixels) {
      const Floats gradient = broadcast(*gradients);
      const float* x = panel_x + *offsets;
      GRADFLIP_UNROLL
      for (int row = 0; row < kRows; ++row) {
        GRADFLIP_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          total[0][row][v] =
              hn::MulAdd(gradient, load(x + row * row_stride + v * kLanes), total[0][row][v]);
        }
      }
    }
  }
  GRADFLIP_UNROLL
  for (int row = 0; row < kRows; ++row) {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      Floats result = total[0][row][v];
      if constexpr (kChains > 1) result = hn::Add(result, total[1][row][v]);
      store(result, sum + row * sum_stride + v * kLanes);
    }
  }
}

// All filter rows of `kVectors` vectors of a run.
template <int kVectors, int kRows = kMaxRows<kVectors>>
void accumulate_part(std::int64_t R, const PanelChannel& panel, const float* x,
                     std::int64_t row_stride, std::int64_t sum_stride, float* sum) {
  for (; R >= kRows; R -= kRows) {
    accumulate_rows<kRows, kVectors>(panel, x, row_stride, sum_stride, sum);
    x += kRows * row_stride;
    sum += kRows * sum_stride;
  }
  if constexpr (kRows > 1) {
    if (R > 0) accumulate_part<kVectors, kRows - 1>(R, panel, x, row_stride, sum_stride, sum);
  }
}

using AccumulatePart = decltype(&accumulate_part<1>);

template <int kVectors = kMaxVectors>
AccumulatePart choose_accumulate_part(std::int64_t vectors) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return choose_accumulate_part<kVectors - 1>(vectors);
  }
  return accumulate_part<kVectors>;
}

void accumulate_panel(const ConvBlockShape& shape, const FilterPanels& panels, std::int64_t pixels,
                      const BackwardFilterScratch& scratch, const float* x) {
  const std::int64_t R = shape.conv.R;
  const std::int64_t stride = whole_rows(shape.conv.K);
  const std::int64_t tap_row_stride = shape.conv.dilation_h * panels.row_stride;
  const std::int64_t run_vectors = vectors_for(shape.conv.S * shape.conv.C);
  const std::int64_t parts = (run_vectors + kMaxVectors - 1) / kMaxVectors;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t first = run_vectors * part / parts;
    const auto accumulate = choose_accumulate_part(run_vectors * (part + 1) / parts - first);
    for (std::int64_t k = 0; k < shape.conv.K; ++k) {
      const PanelChannel panel{scratch.gradient + k, scratch.offset + k, pixels, stride};
      accumulate(R, panel, x + first * kLanes, tap_row_stride, panels.run_floats,
                 scratch.sum + k * R * panels.run_floats + first * kLanes);
    }
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
