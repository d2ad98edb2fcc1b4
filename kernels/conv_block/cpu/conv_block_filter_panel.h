// What conv_block_backward_filter needs before it can sum over a panel, per SIMD target (see
// simd.h): gradients and offsets of the winners, and runs that lie side by side.
//
// Copied runs  where S*C floats are not whole vectors (C = 3), or not consecutive (padding,
//              dilation), each pixel's runs are copied to a row of their own: aligned, zero-filled,
//              no tails. 28x28x3 -> 5x5x32 takes 7.5 us per image on Zen 5, copies included, and
//              9 us when it reads x in place, as most of its loads cross a cache line there.

#include "kernels/cpu/simd.h"  // before the guard: it switches targets

#if defined(GRADFLIP_KERNELS_CONV_BLOCK_CPU_CONV_BLOCK_FILTER_PANEL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADFLIP_KERNELS_CONV_BLOCK_CPU_CONV_BLOCK_FILTER_PANEL_H
#undef GRADFLIP_KERNELS_CONV_BLOCK_CPU_CONV_BLOCK_FILTER_PANEL_H
#else
#define GRADFLIP_KERNELS_CONV_BLOCK_CPU_CONV_BLOCK_FILTER_PANEL_H
#endif

#include <algorithm>

#include "kernels/conv_block/cpu/conv_block_geometry.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// Images [n, n + images) and of each the rows [p, p + pool_rows) of pool windows.
struct Panel {
  std::int64_t n, images;
  std::int64_t p, pool_rows;
};

// kLanes channels of a row of pooled pixels: gradients of dead windows to zero, winners to offsets
// from `base` (to pixel r = winner / pool_w, s = winner % pool_w of the window), and dbias. `count`
// is how many channels there are from here on.
void prepare_channels(const ConvBlockShape& shape, const FilterPanels& panels, std::int64_t count,
                      const float* dpooled, const std::uint8_t* winner, std::int64_t base,
                      float* gradient, std::int32_t* offset, float* dbias) {
  const FloatTag d;
  const IntTag di;
  const Floats half = broadcast(0.5F);
  const Floats rows_per_position = broadcast(1.0F / static_cast<float>(shape.pool_w));
  const Ints pixel = hn::Set(di, static_cast<std::int32_t>(panels.pixel_stride));
  const Ints row = hn::Set(
      di, static_cast<std::int32_t>(panels.pixel_row_stride - shape.pool_w * panels.pixel_stride));
  const Ints window = hn::Set(di, static_cast<std::int32_t>(shape.pool_w * panels.pixel_stride));
  Ints first = hn::Set(di, static_cast<std::int32_t>(base));
  Floats sum = load(dbias);
  const std::int64_t PQ = shape.PQ();  // divisions
  for (std::int64_t q = 0; q < PQ; ++q) {
    Ints position = load_bytes(count, winner);
    Floats arriving = count >= kLanes ? load(dpooled) : load_first(count, dpooled);
    const auto dead = hn::Eq(position, hn::Set(di, kDeadWinner));
    position = hn::IfThenZeroElse(dead, position);
    arriving = hn::IfThenZeroElse(hn::RebindMask(d, dead), arriving);
    store(arriving, gradient);
    sum = hn::Add(sum, arriving);
    // The half keeps the rounded reciprocal from pushing a multiple of pool_w below itself.
    const Ints r =
        hn::ConvertTo(di, hn::Mul(hn::Add(hn::ConvertTo(d, position), half), rows_per_position));
    const Ints in_window = hn::Add(hn::Mul(position, pixel), hn::Mul(r, row));
    hn::StoreU(hn::Add(first, in_window), di, offset);
    first = hn::Add(first, window);
    dpooled += shape.conv.K;
    winner += shape.conv.K;
    gradient += whole_rows(shape.conv.K);
    offset += whole_rows(shape.conv.K);
  }
  store(sum, dbias);
}

HWY_INLINE void copy_run(std::int64_t floats, const float* from, float* to) {
  std::int64_t j = 0;
  for (; j + kLanes <= floats; j += kLanes) store(load(from + j), to + j);
  if (j < floats) store(load_first(floats - j, from + j), to + j);
}

// Runs of pixels [begin, end) along one image row, tap by tap, zero outside the image.
void gather_runs(const Conv2dShape& conv, std::int64_t begin, std::int64_t end,
                 std::int64_t run_floats, const float* image_row, float* runs) {
  for (std::int64_t q = begin; q < end; ++q) {
    float* to = runs + q * run_floats;
    for (std::int64_t s = 0; s < conv.S; ++s, to += conv.C) {
      const std::int64_t w = q * conv.stride_w - conv.pad_w + s * conv.dilation_w;
      if (w >= 0 && w < conv.W) {
        std::copy_n(image_row + w * conv.C, conv.C, to);
      } else {
        std::fill_n(to, conv.C, 0.0F);
      }
    }
    std::fill(to, runs + (q + 1) * run_floats, 0.0F);
  }
}

// Copies the runs of `rows` image rows side by side: (rows, strip_width, run_floats).
void copy_runs(const ConvBlockShape& shape, std::int64_t run_floats, std::int64_t strip_width,
               std::int64_t first_row, std::int64_t rows, const float* image, float* runs) {
  const Conv2dShape& conv = shape.conv;
  const std::int64_t length = conv.S * conv.C;
  // Pixels [begin, end) whose runs lie within the image and are consecutive there.
  std::int64_t begin = (conv.pad_w + conv.stride_w - 1) / conv.stride_w;
  std::int64_t end = std::min(strip_width, (conv.W - conv.S + conv.pad_w) / conv.stride_w + 1);
  if (conv.dilation_w > 1 || conv.W < conv.S || begin >= end) begin = end = strip_width;
  for (std::int64_t row = 0; row < rows; ++row, runs += strip_width * run_floats) {
    const std::int64_t h = first_row + row - conv.pad_h;
    if (h < 0 || h >= conv.H) {
      std::fill_n(runs, strip_width * run_floats, 0.0F);
      continue;
    }
    const float* from = image + h * conv.W * conv.C;
    for (std::int64_t q = begin; q < end; ++q) {
      copy_run(length, from + (q * conv.stride_w - conv.pad_w) * conv.C, runs + q * run_floats);
    }
    gather_runs(conv, 0, begin, run_floats, from, runs);
    gather_runs(conv, end, strip_width, run_floats, from, runs);
  }
}

void prepare_panel(const ConvBlockShape& shape, const FilterPanels& panels, const Panel& panel,
                   const float* dpooled, const std::uint8_t* winner,
                   const BackwardFilterScratch& scratch) {
  const std::int64_t K = shape.conv.K;
  std::int64_t prepared = 0;
  for (std::int64_t image = 0; image < panel.images; ++image) {
    for (std::int64_t p = 0; p < panel.pool_rows; ++p) {
      const std::int64_t pooled = ((panel.n + image) * shape.PP() + panel.p + p) * shape.PQ() * K;
      const std::int64_t base =
          image * panels.image_stride + p * shape.pool_h * panels.pixel_row_stride;
      for (std::int64_t k = 0; k < K; k += kLanes) {
        prepare_channels(shape, panels, K - k, dpooled + pooled + k, winner + pooled + k, base,
                         scratch.gradient + prepared + k, scratch.offset + prepared + k,
                         scratch.dbias + k);
      }
      prepared += shape.PQ() * whole_rows(K);
    }
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
