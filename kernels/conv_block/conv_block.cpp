#include "kernels/conv_block.h"

#include <algorithm>
#include <limits>

#include "kernels/conv_block/cpu/bf16_conv_block.h"
#include "kernels/conv_block/cpu/conv_block_geometry.h"
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

std::int64_t conv_block_workspace_bytes(const Bf16ConvBlock* bf16, const ConvBlockShape& shape) {
  require_valid(shape);
  const Scratch counter(nullptr);
  const auto* convolution = bf16 != nullptr ? bf16->convolution : nullptr;
  const auto* backward_data = bf16 != nullptr ? bf16->backward_data : nullptr;
  const bool data = backward_data != nullptr && backward_data->takes(shape);
  return std::max(
      {ForwardScratch(shape, convolution, counter).bytes,
       data ? backward_data->workspace_bytes(shape) : BackwardDataScratch(shape, counter).bytes,
       BackwardFilterScratch(shape, bf16, counter).bytes});
}

std::int64_t conv_block_workspace_bytes(Cpu /*ctx*/, const ConvBlockShape& shape) {
  return conv_block_workspace_bytes(bf16_conv_block(shape), shape);
}

void conv_block_forward(Cpu /*ctx*/, const ConvBlockShape& shape, const float* x,
                        const float* filter, const float* bias, float* pooled, std::uint8_t* winner,
                        void* workspace) {
  conv_block_forward(bf16_conv_block(shape), shape, x, filter, bias, pooled, winner, workspace);
}

void conv_block_backward_data(Cpu /*ctx*/, const ConvBlockShape& shape, const float* dpooled,
                              const std::uint8_t* winner, const float* filter, float* dx,
                              void* workspace) {
  conv_block_backward_data(bf16_conv_block(shape), shape, dpooled, winner, filter, dx, workspace);
}

void conv_block_backward_filter(Cpu /*ctx*/, const ConvBlockShape& shape, const float* x,
                                const float* dpooled, const std::uint8_t* winner, Write write,
                                float* dfilter, float* dbias, void* workspace,
                                const GradientWatch& watch) {
  conv_block_backward_filter(bf16_conv_block(shape), shape, x, dpooled, winner, write, dfilter,
                             dbias, workspace);
  const Conv2dShape& conv = shape.conv;
  watch_gradients(watch, conv.R * conv.S * conv.C * conv.K, dfilter);
  watch_gradients(watch, conv.K, dbias);
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

FilterPanels::FilterPanels(const ConvBlockShape& shape, const ConvBlockGeometry& geometry)
    : in_place(!geometry.padded && geometry.runs == 1 && geometry.run_length % kRowFloats == 0),
      run_floats(whole_rows(shape.conv.S * shape.conv.C)),
      row_stride(in_place ? geometry.row_stride : geometry.strip_width * run_floats),
      pixel_row_stride(shape.conv.stride_h * row_stride),
      pixel_stride(in_place ? geometry.pixel_stride : run_floats),
      image_stride(in_place ? geometry.image_floats() : 0),
      pool_rows(shape.PP()),
      images(1) {
  // Of a 48 KB L1 cache; copies leave room for the rows of x that they come from. On Zen 5 12x12x32
  // -> 5x5x48 takes 7.8 us per image with 40 KB (two images) and 8.6 us with 20 KB (one); 28x28x3
  // -> 5x5x32, copied, 9.5 us with 40 KB and 7.5 us with 20 KB.
  const std::int64_t floats =
      (in_place ? 40 : 20) * 1024 / static_cast<std::int64_t>(sizeof(float));
  while (pool_rows > 1 && image_rows(shape, pool_rows) * row_stride > floats) --pool_rows;
  if (in_place && pool_rows == shape.PP()) {
    images = std::max<std::int64_t>(1, floats / image_stride);
  }
  GRADFLIP_REQUIRE(
      image_rows(shape, pool_rows) * row_stride <= std::numeric_limits<std::int32_t>::max(),
      message("conv_block: an image row of ", row_stride, " floats is too long"));
}

BackwardFilterScratch::BackwardFilterScratch(const ConvBlockShape& shape, const Bf16ConvBlock* bf16,
                                             Scratch scratch)
    : pass(bf16 != nullptr ? bf16->backward_filter : nullptr),
      rest(nullptr),
      bf16_gradients(nullptr) {
  if (pass != nullptr && !pass->takes(shape)) pass = nullptr;
  const ConvBlockGeometry geometry(shape);
  const FilterPanels panels(shape, geometry);
  const std::int64_t k_floats = whole_rows(shape.conv.K);
  sum = scratch.take<float>(k_floats * shape.conv.R * panels.run_floats);
  dbias = scratch.take<float>(k_floats);
  rest = scratch.rest();
  if (pass != nullptr) {
    bytes = scratch.bytes() + pass->workspace_bytes(shape);
    return;
  }
  if (bf16 != nullptr && panels.suits_bf16()) bf16_gradients = bf16->gradients;
  const std::int64_t pixels = panels.images * panels.pool_rows * shape.PQ();
  gradient = scratch.take<float>(pixels * k_floats);
  offset = scratch.take<std::int32_t>(pixels * k_floats);
  runs = scratch.take<float>(
      panels.in_place ? 0 : panels.image_rows(shape, panels.pool_rows) * panels.row_stride);
  const bool rounds = bf16_gradients != nullptr;
  gradient_pairs = scratch.take<std::uint32_t>(rounds ? (pixels + 1) / 2 * k_floats : 0);
  rounded_x = scratch.take<std::uint16_t>(rounds ? panels.x_floats(shape) : 0);
  bytes = scratch.bytes();
}

}  // namespace gradflip
