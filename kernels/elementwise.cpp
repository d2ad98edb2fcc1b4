#include "kernels/elementwise.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

void add_simd(std::int64_t size, const float* a, const float* b, float* y) {
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) store(hn::Add(load(a + i), load(b + i)), y + i);
  if (i < size) {
    const std::int64_t rest = size - i;
    store_first(rest, hn::Add(load_first(rest, a + i), load_first(rest, b + i)), y + i);
  }
}

void scale_simd(std::int64_t size, float factor, const float* x, float* y) {
  const Floats factors = broadcast(factor);
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) store(hn::Mul(factors, load(x + i)), y + i);
  if (i < size) store_first(size - i, hn::Mul(factors, load_first(size - i, x + i)), y + i);
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(add_simd);
HWY_EXPORT(scale_simd);

void fill(Cpu /*ctx*/, std::int64_t size, float value, float* y) { std::fill_n(y, size, value); }

void add(Cpu /*ctx*/, std::int64_t size, const float* a, const float* b, float* y) {
  HWY_DYNAMIC_DISPATCH(add_simd)(size, a, b, y);
}

void scale(Cpu /*ctx*/, std::int64_t size, Scale factor, const float* x, float* y) {
  if (size == 0) return;
  HWY_DYNAMIC_DISPATCH(scale_simd)(size, value_of(factor), x, y);
}

}  // namespace gradflip
#endif  // HWY_ONCE
