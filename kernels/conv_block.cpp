#include "kernels/conv_block.h"

#include <algorithm>

#include "kernels/cpu/conv_block_geometry.h"
#include "kernels/require.h"

namespace gradflip {

void require_valid(const ConvBlockShape& shape) {
  require_valid(shape.conv);
  GRADFLIP_REQUIRE(shape.pool_h > 0 && shape.pool_w > 0,
                   message("conv_block: pool window of ", shape.pool_h, " x ", shape.pool_w));
  constexpr std::int64_t kMaxWindow = kDeadWinner - 1;
  // Each side first: their product could overflow.
  GRADFLIP_REQUIRE(shape.pool_h <= kMaxWindow && shape.pool_w <= kMaxWindow &&
                       shape.pool_h * shape.pool_w <= kMaxWindow,
                   message("conv_block: pool window of ", shape.pool_h, " x ", shape.pool_w,
                           " has more than ", kMaxWindow, " positions"));
  GRADFLIP_REQUIRE(
      shape.PP() > 0 && shape.PQ() > 0,
      message("conv_block: pool window of ", shape.pool_h, " x ", shape.pool_w,
              " does not fit the convolution's output of ", shape.conv.P(), " x ", shape.conv.Q()));
}

std::int64_t conv_block_workspace_bytes(const ConvBlockShape& shape) {
  require_valid(shape);
  const Scratch counter(nullptr);
  return std::max({ForwardScratch(shape, counter).bytes, BackwardDataScratch(shape, counter).bytes,
                   BackwardFilterScratch(shape, counter).bytes});
}

void pad_image(const ConvBlockShape& shape, const float* image, float* padded) {
  const Conv2dShape& conv = shape.conv;
  const std::int64_t row_stride = ConvBlockGeometry(shape).row_stride;
  float* to = padded + conv.pad_h * row_stride + conv.pad_w * conv.C;
  for (std::int64_t h = 0; h < conv.H; ++h) {
    std::copy_n(image + h * conv.W * conv.C, conv.W * conv.C, to + h * row_stride);
  }
}

void crop_image(const ConvBlockShape& shape, const float* padded, float* image) {
  const Conv2dShape& conv = shape.conv;
  const std::int64_t row_stride = ConvBlockGeometry(shape).row_stride;
  const float* from = padded + conv.pad_h * row_stride + conv.pad_w * conv.C;
  for (std::int64_t h = 0; h < conv.H; ++h) {
    std::copy_n(from + h * row_stride, conv.W * conv.C, image + h * conv.W * conv.C);
  }
}

FilterPanel::FilterPanel(const ConvBlockShape& shape, const ConvBlockGeometry& geometry)
    : in_place(!geometry.padded && geometry.runs == 1 && geometry.run_length % kRowFloats == 0),
      run_floats(whole_rows(shape.conv.S * shape.conv.C)),
      images(1),
      pool_rows(shape.PP()) {
  const std::int64_t row = in_place ? geometry.row_stride : geometry.strip_width * run_floats;
  // Of a 32 KB cache, the least that current CPUs have, gradients and offsets take their part.
  constexpr std::int64_t kBytes = 20 * 1024;
  const auto bytes = [&](std::int64_t rows) {
    return image_rows(shape, rows) * row * static_cast<std::int64_t>(sizeof(float));
  };
  while (pool_rows > 1 && bytes(pool_rows) > kBytes) --pool_rows;
}

BackwardFilterScratch::BackwardFilterScratch(const ConvBlockShape& shape, Scratch scratch) {
  const ConvBlockGeometry geometry(shape);
  const FilterPanel panel(shape, geometry);
  const std::int64_t k_floats = whole_rows(shape.conv.K);
  const std::int64_t pixels = panel.images * panel.pool_rows * shape.PQ();
  sum = scratch.take<float>(shape.conv.K * shape.conv.R * panel.run_floats);
  dbias = scratch.take<float>(k_floats);
  gradient = scratch.take<float>(pixels * k_floats);
  offset = scratch.take<std::int32_t>(pixels * k_floats);
  runs = scratch.take<float>(panel.in_place ? 0
                                            : panel.image_rows(shape, panel.pool_rows) *
                                                  geometry.strip_width * panel.run_floats);
  bytes = scratch.bytes();
}

}  // namespace gradflip
