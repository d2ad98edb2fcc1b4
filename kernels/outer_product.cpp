#include "kernels/outer_product.h"

#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/outer_product.cpp"
#include "kernels/cpu/map_vectors.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

void outer_product_forward_simd(const OuterProductShape& shape, const float* a, const float* b,
                                float* y) {
  for (std::int64_t n = 0; n < shape.N; ++n) {
    for (std::int64_t i = 0; i < shape.A; ++i) {
      const Floats factor = broadcast(a[n * shape.A + i]);
      map_vectors(
          shape.B, [factor](Floats v) HWY_ATTR { return hn::Mul(factor, v); },
          y + (n * shape.A + i) * shape.B, b + n * shape.B);
    }
  }
}

HWY_INLINE float dot(std::int64_t size, const float* x, const float* y) {
  Floats sum = zeros();
  std::int64_t j = 0;
  for (; j + kLanes <= size; j += kLanes) sum = hn::MulAdd(load(x + j), load(y + j), sum);
  if (j < size) sum = hn::MulAdd(load_first(size - j, x + j), load_first(size - j, y + j), sum);
  return hn::GetLane(hn::SumOfLanes(FloatTag(), sum));
}

void outer_product_backward_a_simd(const OuterProductShape& shape, const float* dy, const float* b,
                                   float* da) {
  for (std::int64_t n = 0; n < shape.N; ++n) {
    for (std::int64_t i = n * shape.A; i < (n + 1) * shape.A; ++i) {
      da[i] = dot(shape.B, dy + i * shape.B, b + n * shape.B);
    }
  }
}

void outer_product_backward_b_simd(const OuterProductShape& shape, const float* dy, const float* a,
                                   float* db) {
  for (std::int64_t n = 0; n < shape.N; ++n) {
    const float* factors = a + n * shape.A;
    const float* matrix = dy + n * shape.A * shape.B;
    std::int64_t j = 0;
    for (; j + kLanes <= shape.B; j += kLanes) {
      Floats sum = zeros();
      for (std::int64_t i = 0; i < shape.A; ++i) {
        sum = hn::MulAdd(broadcast(factors[i]), load(matrix + i * shape.B + j), sum);
      }
      store(sum, db + n * shape.B + j);
    }
    if (const std::int64_t rest = shape.B - j; rest > 0) {
      Floats sum = zeros();
      for (std::int64_t i = 0; i < shape.A; ++i) {
        sum = hn::MulAdd(broadcast(factors[i]), load_first(rest, matrix + i * shape.B + j), sum);
      }
      store_first(rest, sum, db + n * shape.B + j);
    }
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(outer_product_forward_simd);
HWY_EXPORT(outer_product_backward_a_simd);
HWY_EXPORT(outer_product_backward_b_simd);

void require_valid(const OuterProductShape& shape) {
  GRADFLIP_REQUIRE(shape.N >= 0 && shape.A > 0 && shape.B > 0,
                   message("outer_product: N is ", shape.N, " (>= 0), A is ", shape.A,
                           " (> 0), B is ", shape.B, " (> 0)"));
}

void outer_product_forward(Cpu /*ctx*/, const OuterProductShape& shape, const float* a,
                           const float* b, float* y) {
  require_valid(shape);
  HWY_DYNAMIC_DISPATCH(outer_product_forward_simd)(shape, a, b, y);
}

void outer_product_backward_a(Cpu /*ctx*/, const OuterProductShape& shape, const float* dy,
                              const float* b, float* da) {
  require_valid(shape);
  HWY_DYNAMIC_DISPATCH(outer_product_backward_a_simd)(shape, dy, b, da);
}

void outer_product_backward_b(Cpu /*ctx*/, const OuterProductShape& shape, const float* dy,
                              const float* a, float* db) {
  require_valid(shape);
  HWY_DYNAMIC_DISPATCH(outer_product_backward_b_simd)(shape, dy, a, db);
}

}  // namespace gradflip
#endif  // HWY_ONCE
