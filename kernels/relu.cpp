#include "kernels/relu.h"

#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/relu.cpp"
#include "kernels/cpu/map_vectors.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// `below` where `decides` <= 0, else `above`: what a NaN decides is `above`. A slope of 0 gives 0
// of whatever there is, the others multiply.
template <typename Function>
HWY_INLINE void with_slope(float slope, const Function& run) {
  if (slope == 0.0F) {
    return run([](Floats decides, Floats /*below*/, Floats above)
                   HWY_ATTR { return hn::IfThenZeroElse(hn::Le(decides, zeros()), above); });
  }
  const Floats slopes = broadcast(slope);
  run([slopes](Floats decides, Floats below, Floats above) HWY_ATTR {
    return hn::IfThenElse(hn::Le(decides, zeros()), hn::Mul(slopes, below), above);
  });
}

void relu_forward_simd(std::int64_t size, const Rectifier& rectifier, const float* x, float* y) {
  const Floats cap = broadcast(rectifier.cap);
  with_slope(rectifier.slope, [=](const auto& choose) HWY_ATTR {
    const auto rectify = [=](Floats v) HWY_ATTR {
      return choose(v, v, hn::IfThenElse(hn::Ge(v, cap), cap, v));
    };
    map_vectors(size, rectify, y, x);
  });
}

void relu_backward_simd(std::int64_t size, const Rectifier& rectifier, const float* y,
                        const float* dy, float* dx) {
  const bool is_capped = rectifier.cap < std::numeric_limits<float>::infinity();
  const Floats cap = broadcast(rectifier.cap);
  with_slope(rectifier.slope, [=](const auto& choose) HWY_ATTR {
    const auto gradient = [=](Floats out, Floats arriving)
                              HWY_ATTR { return choose(out, arriving, arriving); };
    if (!is_capped) return map_vectors(size, gradient, dx, y, dy);
    const auto capped = [=](Floats out, Floats arriving) HWY_ATTR {
      return hn::IfThenZeroElse(hn::Ge(out, cap), gradient(out, arriving));
    };
    map_vectors(size, capped, dx, y, dy);
  });
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(relu_forward_simd);
HWY_EXPORT(relu_backward_simd);

void require_valid(const Rectifier& rectifier) {
  GRADFLIP_REQUIRE(rectifier.slope >= 0.0F && rectifier.slope <= 1.0F,
                   message("relu: the slope is ", rectifier.slope, ", must be in [0, 1]"));
  GRADFLIP_REQUIRE(rectifier.cap > 0.0F,
                   message("relu: the cap is ", rectifier.cap, ", must be > 0"));
}

void relu_forward(Cpu /*ctx*/, std::int64_t size, const float* x, float* y,
                  const Rectifier& rectifier) {
  GRADFLIP_REQUIRE(size >= 0, message("relu: size is ", size, ", must be >= 0"));
  require_valid(rectifier);
  HWY_DYNAMIC_DISPATCH(relu_forward_simd)(size, rectifier, x, y);
}

void relu_backward(Cpu /*ctx*/, std::int64_t size, const float* y, const float* dy, float* dx,
                   const Rectifier& rectifier) {
  GRADFLIP_REQUIRE(size >= 0, message("relu: size is ", size, ", must be >= 0"));
  require_valid(rectifier);
  HWY_DYNAMIC_DISPATCH(relu_backward_simd)(size, rectifier, y, dy, dx);
}

}  // namespace gradflip
#endif  // HWY_ONCE
