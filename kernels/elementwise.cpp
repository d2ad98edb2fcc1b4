#include "kernels/elementwise.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise.cpp"
#include "kernels/cpu/map_vectors.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

void scale_simd(std::int64_t size, float factor, const float* x, float* y) {
  const Floats factors = broadcast(factor);
  const auto times = [factors](Floats v) HWY_ATTR { return hn::Mul(factors, v); };
  map_vectors(size, times, y, x);
}

void sqrt_simd(std::int64_t size, const float* x, float* y) {
  map_vectors(
      size, [](Floats v) HWY_ATTR { return hn::Sqrt(v); }, y, x);
}

void square_simd(std::int64_t size, const float* x, float* y) {
  map_vectors(
      size, [](Floats v) HWY_ATTR { return hn::Mul(v, v); }, y, x);
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
HWY_EXPORT(sqrt_simd);
HWY_EXPORT(square_simd);
HWY_EXPORT(binary_simd);

void fill(Cpu /*ctx*/, std::int64_t size, float value, float* y) { std::fill_n(y, size, value); }

void scale(Cpu /*ctx*/, std::int64_t size, Scale factor, const float* x, float* y) {
  if (size == 0) return;
  HWY_DYNAMIC_DISPATCH(scale_simd)(size, value_of(factor), x, y);
}

// exp and log one at a time, by the standard library: what is composed of them are losses, a few
// numbers per row.
void unary(Cpu /*ctx*/, std::int64_t size, Unary function, const float* x, float* y) {
  switch (function) {
    case Unary::kExp:
      for (std::int64_t i = 0; i < size; ++i) y[i] = std::exp(x[i]);
      return;
    case Unary::kLog:
      for (std::int64_t i = 0; i < size; ++i) y[i] = std::log(x[i]);
      return;
    case Unary::kSqrt:
      return HWY_DYNAMIC_DISPATCH(sqrt_simd)(size, x, y);
    case Unary::kSquare:
      return HWY_DYNAMIC_DISPATCH(square_simd)(size, x, y);
  }
}

void binary(Cpu /*ctx*/, std::int64_t size, Binary function, const float* a, const float* b,
            float* y) {
  HWY_DYNAMIC_DISPATCH(binary_simd)(size, function, a, b, y);
}

}  // namespace gradflip
#endif  // HWY_ONCE
