// conv2d_forward and conv2d_backward_data on the CPU.
//
// Decomposition  for each image, band of rows and block of channels: the register tiles of
//                kernels/cpu/convolution_tile.h, which write what they have summed, with the
//                epilogue, to its place. The band, with its zeros around it where there are any,
//                stays in the L2 cache for all blocks, and so does the filter, or else one block of
//                it for all images.
// Filter         copied once per call, per block of channels, with channels padded to whole
//                vectors: aligned loads, no tails. For the gradient transposed, taps in reverse.
// Numerics       every output is one chain of multiply-adds from the bias over (r, s, channel): it
//                depends neither on N nor on alignment.
// Cost           2*N*P*Q*R*S*C*K operations, the gradient with a stride, too.

#include "kernels/conv2d/cpu/conv2d_convolve.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu/conv2d_convolve.cpp"
#include "kernels/cpu/convolution_f32.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/transpose.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

HWY_INLINE Floats relu_floats(Floats x) {
  return hn::IfThenZeroElse(hn::Le(x, hn::Zero(FloatTag())), x);
}

HWY_INLINE Floats rectified_floats(const Rectifier& rectifier, Floats x) {
  const FloatTag d;
  // A slope of 0 gives 0 of an infinity, too. Comparisons are those that a NaN fails.
  const Floats below = rectifier.slope == 0.0F ? zeros() : hn::Mul(broadcast(rectifier.slope), x);
  const Floats cap = broadcast(rectifier.cap);
  const Floats above = hn::IfThenElse(hn::Ge(x, cap), cap, x);
  return hn::IfThenElse(hn::Le(x, hn::Zero(d)), below, above);
}

#include "kernels/conv2d/cpu/convolve_walks.h"

// One tap of one block: (channels_in, lanes).
void pack_tap(const ConvolutionPlan& plan, const float* tap, std::int64_t first, std::int64_t lanes,
              float* packed) {
  const std::int64_t channels = std::min(plan.channels_out - first, lanes);
  if (channels < lanes) std::fill_n(packed, plan.channels_in * lanes, 0.0F);
  if (plan.gradient) {
    transpose<Write::kOverwrite>(channels, plan.channels_in, tap + first * plan.channels_in,
                                 plan.channels_in, packed, lanes);
    return;
  }
  for (std::int64_t c = 0; c < plan.channels_in; ++c) {
    std::copy_n(tap + c * plan.channels_out + first, channels, packed + c * lanes);
  }
}

void convolve_simd(const ConvolutionPlan& plan, const float* image, const float* filter,
                   const Conv2dEpilogue& epilogue, float* out, const ConvolutionScratch& scratch) {
  set_bias(plan.channels_out, epilogue.bias, scratch.bias);
  const std::int64_t tap_floats = plan.channels_in * plan.channels_out;
  for_each_tap(plan, plan.channels_in, scratch.filter,
               [&](std::int64_t tap, std::int64_t first, std::int64_t lanes, float* packed) {
                 pack_tap(plan, filter + tap * tap_floats, first, lanes, packed);
               });
  convolve_images(plan, {scratch.filter, scratch.bias, epilogue.rectifier}, out,
                  [&](std::int64_t n, std::int64_t begin) {
                    return band_of(plan, image + n * plan.image_floats(), begin, scratch);
                  });
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(convolve_simd);

void convolve(const ConvolutionPlan& plan, const float* image, const float* filter,
              const Conv2dEpilogue& epilogue, float* out, const ConvolutionScratch& scratch) {
  if (plan.N == 0) return;
  HWY_DYNAMIC_DISPATCH(convolve_simd)(plan, image, filter, epilogue, out, scratch);
}

}  // namespace gradflip
#endif  // HWY_ONCE
