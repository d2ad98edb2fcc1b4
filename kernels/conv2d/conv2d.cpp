#include "kernels/conv2d.h"

#include <algorithm>

#include "kernels/conv2d/cpu/bf16_conv2d.h"
#include "kernels/conv2d/cpu/conv2d_backward_filter.h"
#include "kernels/conv2d/cpu/conv2d_convolve.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

void require_axis(const char* axis, std::int64_t size, std::int64_t taps, std::int64_t stride,
                  std::int64_t pad, std::int64_t dilation) {
  GRADFLIP_REQUIRE(size > 0 && taps > 0, message("conv2d: ", axis, " of the image is ", size,
                                                 ", of the filter ", taps, "; both must be > 0"));
  GRADFLIP_REQUIRE(stride > 0 && pad >= 0 && dilation > 0,
                   message("conv2d: along the ", axis, " stride is ", stride, " (> 0), padding ",
                           pad, " (>= 0), dilation ", dilation, " (> 0)"));
  GRADFLIP_REQUIRE(size + 2 * pad > dilation * (taps - 1),
                   message("conv2d: filter spans ", dilation * (taps - 1) + 1, " along the ", axis,
                           ", the padded image has ", size + 2 * pad));
}

// By either of the two engines; bf16: null for f32.
void convolve(const Bf16Conv2d* bf16, const ConvolutionPlan& plan, const float* image,
              const float* filter, const Conv2dEpilogue& epilogue, float* out, Scratch scratch) {
  if (bf16 != nullptr) return bf16->convolve(plan, image, filter, epilogue, out, scratch);
  convolve(plan, image, filter, epilogue, out, ConvolutionScratch(plan, scratch));
}

}  // namespace

void require_valid(const Conv2dShape& shape) {
  GRADFLIP_REQUIRE(shape.N >= 0, message("conv2d: N is ", shape.N, ", must be >= 0"));
  GRADFLIP_REQUIRE(shape.C > 0 && shape.K > 0, message("conv2d: ", shape.C, " channels, ", shape.K,
                                                       " filters; both must be > 0"));
  require_axis("height", shape.H, shape.R, shape.stride_h, shape.pad_h, shape.dilation_h);
  require_axis("width", shape.W, shape.S, shape.stride_w, shape.pad_w, shape.dilation_w);
}

std::int64_t conv2d_workspace_bytes(Cpu /*ctx*/, const Conv2dShape& shape) {
  require_valid(shape);
  const ConvolutionPlan forward = ConvolutionPlan::forward(shape);
  const ConvolutionPlan data = ConvolutionPlan::backward_data(shape);
  const FilterGradientPlan filter(shape);
  if (const Bf16Conv2d* bf16 = bf16_conv2d(shape)) {
    return std::max({bf16->convolve_bytes(forward), bf16->convolve_bytes(data),
                     bf16->backward_filter_bytes(filter)});
  }
  const Scratch counter(nullptr);
  return std::max({ConvolutionScratch(forward, counter).bytes,
                   ConvolutionScratch(data, counter).bytes,
                   FilterGradientScratch(filter, counter).bytes});
}

void conv2d_forward(Cpu /*ctx*/, const Conv2dShape& shape, const float* x, const float* filter,
                    const Conv2dEpilogue& epilogue, float* y, void* workspace) {
  require_valid(shape);
  convolve(bf16_conv2d(shape), ConvolutionPlan::forward(shape), x, filter, epilogue, y,
           Scratch(workspace));
}

void conv2d_backward_data(Cpu /*ctx*/, const Conv2dShape& shape, const float* dy,
                          const float* filter, float* dx, void* workspace) {
  require_valid(shape);
  convolve(bf16_conv2d(shape), ConvolutionPlan::backward_data(shape), dy, filter, {}, dx,
           Scratch(workspace));
}

void conv2d_backward_filter(Cpu /*ctx*/, const Conv2dShape& shape, const float* x, const float* dy,
                            Write write, float* dfilter, void* workspace) {
  require_valid(shape);
  const FilterGradientPlan plan(shape);
  if (const Bf16Conv2d* bf16 = bf16_conv2d(shape)) {
    return bf16->backward_filter(plan, x, dy, write, dfilter, Scratch(workspace));
  }
  conv2d_backward_filter(plan, x, dy, write, dfilter,
                         FilterGradientScratch(plan, Scratch(workspace)));
}

}  // namespace gradflip
