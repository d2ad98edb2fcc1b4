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

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu/conv2d_convolve.cpp"
#include "kernels/cpu/convolution_f32.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/transpose.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

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

void pack_filter(const ConvolutionPlan& plan, const ChannelBlocks& blocks, const float* filter,
                 float* packed) {
  const std::int64_t tap_floats = plan.channels_in * plan.channels_out;
  for (std::int64_t block = 0; block < blocks.count; ++block) {
    const std::int64_t first = blocks.begin(block) * kLanes;
    const std::int64_t lanes = blocks.begin(block + 1) * kLanes - first;
    float* to = packed + plan.taps * plan.channels_in * first;
    for_each_walk(plan, [&](const AxisWalk& h, const AxisWalk& w, std::int64_t /*taps*/) {
      for (std::int64_t i = 0; i < h.taps; ++i) {
        const std::int64_t r = h.first_tap + i * h.tap_step;
        for (std::int64_t j = 0; j < w.taps; ++j, to += plan.channels_in * lanes) {
          const std::int64_t s = w.first_tap + j * w.tap_step;
          pack_tap(plan, filter + (r * plan.S + s) * tap_floats, first, lanes, to);
        }
      }
    });
  }
}

void convolve_simd(const ConvolutionPlan& plan, const float* image, const float* filter,
                   const Conv2dEpilogue& epilogue, float* out, const ConvolutionScratch& scratch) {
  const ChannelBlocks blocks(plan.channels_out);
  std::fill_n(scratch.bias, blocks.vectors * kLanes, 0.0F);
  if (epilogue.bias != nullptr) std::copy_n(epilogue.bias, plan.channels_out, scratch.bias);
  pack_filter(plan, blocks, filter, scratch.filter);
  const std::int64_t at_once = plan.filter_first ? 1 : blocks.count;
  for (std::int64_t block = 0; block < blocks.count; block += at_once) {
    for (std::int64_t n = 0; n < plan.N; ++n) {
      for (std::int64_t begin = 0; begin < plan.h.count(); begin += plan.band_rows) {
        const Band<float> band = band_of(plan, image + n * plan.image_floats(), begin, scratch);
        for (std::int64_t k = block; k < block + at_once; ++k) {
          convolve_block(plan, blocks, k, band, {scratch.filter, scratch.bias, epilogue.rectifier},
                         out + n * plan.out_image_floats);
        }
      }
    }
  }
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
