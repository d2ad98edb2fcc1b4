#include "kernels/conv2d/cpu/filter_gradient_plan.h"

#include <algorithm>

#include "kernels/conv2d/cpu/conv2d_plan.h"

namespace gradflip {
namespace {

// Of x and of dy under a panel, in floats: what the L2 cache keeps for all tiles. Sums that do not
// stay there, too, come and go once for each panel: fewer and larger ones then pay (Zen 4, 1 MiB: 3x3
// at 14x14x256 -> 256 reaches 80 % of the peak with small ones, 91 % with large ones; at 14x14x64 ->
// 64 100 and 95 %).
constexpr std::int64_t kSmallPanel = 16 * 1024;
constexpr std::int64_t kLargePanel = 64 * 1024;
constexpr std::int64_t kMostSums = 128 * 1024;  // of small panels
// Runs shorter than this are taken together, and copied side by side where they are apart.
constexpr std::int64_t kShortRun = 8;

// Of `count` outputs those at which a tap `offset` pixels behind the first lies in the image.
OutputRange outputs_in_image(std::int64_t size, std::int64_t stride, std::int64_t pad,
                             std::int64_t offset, std::int64_t count) {
  const std::int64_t begin = offset >= pad ? 0 : (pad - offset + stride - 1) / stride;
  const std::int64_t end = size + pad <= offset ? 0 : (size + pad - offset - 1) / stride + 1;
  return {std::min(begin, count), std::min(end, count)};
}

}  // namespace

FilterGradientPlan::FilterGradientPlan(const Conv2dShape& given)
    : shape(with_flat_images(given)), P(shape.P()), Q(shape.Q()) {
  side_by_side = shape.dilation_w > 1 && shape.S > 1 && shape.C < kShortRun;
  in_place = shape.pad_h == 0 && shape.pad_w == 0 && !side_by_side;
  const bool one_run = shape.C < kShortRun;
  runs = one_run ? 1 : shape.S;
  run_length = one_run ? shape.S * shape.C : shape.C;
  run_stride = shape.dilation_w * shape.C;
  const std::int64_t padded_width = in_place ? shape.W : shape.W + 2 * shape.pad_w;
  width = side_by_side ? Q * run_length : padded_width * shape.C;
  pixel_stride = side_by_side ? run_length : shape.stride_w * shape.C;
  // The larger of the two, for some rows of an image.
  const auto floats = [&](std::int64_t some) {
    return std::max(image_rows(some) * width, some * Q * whole_vectors(shape.K));
  };
  const std::int64_t sums = shape.R * shape.S * shape.C * whole_vectors(shape.K);
  const std::int64_t most = sums <= kMostSums ? kSmallPanel : kLargePanel;
  rows = P;
  while (rows > 1 && floats(rows) > most) --rows;
  images = rows == P ? std::max(most / floats(P), std::int64_t{1}) : 1;
}

OutputRange FilterGradientPlan::rows_of_tap(std::int64_t r) const {
  return outputs_in_image(shape.H, shape.stride_h, shape.pad_h, r * shape.dilation_h, P);
}

OutputRange FilterGradientPlan::columns_of_run(std::int64_t run) const {
  if (runs == 1 && shape.S > 1) return {0, Q};
  return outputs_in_image(shape.W, shape.stride_w, shape.pad_w, run * shape.dilation_w, Q);
}

FilterGradientScratch::FilterGradientScratch(const FilterGradientPlan& plan, Scratch scratch) {
  const Conv2dShape& shape = plan.shape;
  const std::int64_t channels = whole_vectors(shape.K);
  sum = scratch.take<float>(shape.R * shape.S * shape.C * channels);
  dy = scratch.take<float>(shape.K == channels ? 0 : plan.images * plan.rows * plan.Q * channels);
  x = scratch.take<float>(plan.in_place ? 0
                                        : plan.images * plan.image_rows(plan.rows) * plan.width);
  bytes = scratch.bytes();
}

void copy_panel_rows(const FilterGradientPlan& plan, const float* image, std::int64_t first,
                     std::int64_t rows, float* to) {
  const Conv2dShape& shape = plan.shape;
  const std::int64_t C = shape.C;
  for (std::int64_t row = 0; row < rows; ++row, to += plan.width) {
    const std::int64_t h = first + row - shape.pad_h;
    if (h < 0 || h >= shape.H) {
      std::fill_n(to, plan.width, 0.0F);
      continue;
    }
    const float* from = image + h * shape.W * C;
    if (!plan.side_by_side) {
      std::fill_n(to, shape.pad_w * C, 0.0F);
      std::copy_n(from, shape.W * C, to + shape.pad_w * C);
      std::fill(to + (shape.pad_w + shape.W) * C, to + plan.width, 0.0F);
      continue;
    }
    for (std::int64_t q = 0; q < plan.Q; ++q) {
      for (std::int64_t s = 0; s < shape.S; ++s) {
        const std::int64_t w = q * shape.stride_w - shape.pad_w + s * shape.dilation_w;
        float* run = to + q * plan.run_length + s * C;
        if (w >= 0 && w < shape.W) {
          std::copy_n(from + w * C, C, run);
        } else {
          std::fill_n(run, C, 0.0F);
        }
      }
    }
  }
}

void write_sums(const Conv2dShape& shape, std::int64_t stride, const float* sum, Write write,
                float* dfilter) {
  const std::int64_t K = shape.K;
  for (std::int64_t tap = 0; tap < shape.R * shape.S * shape.C;
       ++tap, sum += stride, dfilter += K) {
    if (write == Write::kOverwrite) {
      std::copy_n(sum, K, dfilter);
    } else {
      for (std::int64_t k = 0; k < K; ++k) dfilter[k] += sum[k];
    }
  }
}

}  // namespace gradflip
