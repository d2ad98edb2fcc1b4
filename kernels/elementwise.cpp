#include "kernels/elementwise.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise.cpp"
#include "kernels/cpu/exp_log.h"
#include "kernels/cpu/map_vectors.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

void scale_simd(std::int64_t size, float factor, const float* x, float* y) {
  const Floats factors = broadcast(factor);
  const auto times = [factors](Floats v) HWY_ATTR { return hn::Mul(factors, v); };
  map_vectors(size, times, y, x);
}

// -1 and 1 by their sign, which a zero has, too; a NaN stays.
HWY_INLINE Floats sign_of(Floats x) {
  const auto is_number_but_zero = hn::Gt(hn::Abs(x), zeros());
  return hn::IfThenElse(is_number_but_zero, hn::CopySign(broadcast(1.0F), x), x);
}

void unary_simd(std::int64_t size, Unary function, const float* x, float* y) {
  const auto map = [=](const auto& of) HWY_ATTR { map_vectors(size, of, y, x); };
  switch (function) {
    case Unary::kExp:
      return map([](Floats v) HWY_ATTR { return exp_of(v); });
    case Unary::kLog:
      return map([](Floats v) HWY_ATTR { return log_of(v); });
    case Unary::kSqrt:
      return map([](Floats v) HWY_ATTR { return hn::Sqrt(v); });
    case Unary::kSquare:
      return map([](Floats v) HWY_ATTR { return hn::Mul(v, v); });
    case Unary::kSigmoid:
      return map([](Floats v) HWY_ATTR { return sigmoid_of(v); });
    case Unary::kTanh:
      return map([](Floats v) HWY_ATTR { return tanh_of(v); });
    case Unary::kSoftplus:
      return map([](Floats v) HWY_ATTR { return softplus_of(v); });
    case Unary::kAbs:
      return map([](Floats v) HWY_ATTR { return hn::Abs(v); });
    case Unary::kSign:
      return map([](Floats v) HWY_ATTR { return sign_of(v); });
  }
}

void binary_simd(std::int64_t size, Binary function, const float* a, const float* b, float* y) {
  const auto add = [](Floats l, Floats r) HWY_ATTR { return hn::Add(l, r); };
  const auto subtract = [](Floats l, Floats r) HWY_ATTR { return hn::Sub(l, r); };
  const auto multiply = [](Floats l, Floats r) HWY_ATTR { return hn::Mul(l, r); };
  const auto divide = [](Floats l, Floats r) HWY_ATTR { return hn::Div(l, r); };
  switch (function) {
    case Binary::kAdd:
      return map_vectors(size, add, y, a, b);
    case Binary::kSubtract:
      return map_vectors(size, subtract, y, a, b);
    case Binary::kMultiply:
      return map_vectors(size, multiply, y, a, b);
    case Binary::kDivide:
      return map_vectors(size, divide, y, a, b);
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(scale_simd);
HWY_EXPORT(unary_simd);
HWY_EXPORT(binary_simd);

void fill(Cpu /*ctx*/, std::int64_t size, float value, float* y) { std::fill_n(y, size, value); }

void scale(Cpu /*ctx*/, std::int64_t size, Scale factor, const float* x, float* y) {
  if (size == 0) return;
  HWY_DYNAMIC_DISPATCH(scale_simd)(size, value_of(factor), x, y);
}

void unary(Cpu /*ctx*/, std::int64_t size, Unary function, const float* x, float* y) {
  HWY_DYNAMIC_DISPATCH(unary_simd)(size, function, x, y);
}

void binary(Cpu /*ctx*/, std::int64_t size, Binary function, const float* a, const float* b,
            float* y) {
  HWY_DYNAMIC_DISPATCH(binary_simd)(size, function, a, b, y);
}

}  // namespace gradflip
#endif  // HWY_ONCE
