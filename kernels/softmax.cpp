#include "kernels/softmax.h"

#include <cmath>
#include <limits>

#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax.cpp"
#include "kernels/cpu/exp_log.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// visit(j, count) for the vectors of a row: `count` of their lanes are the row's.
template <typename Visit>
HWY_INLINE void for_each_vector(std::int64_t size, const Visit& visit) {
  std::int64_t j = 0;
  for (; j + kLanes <= size; j += kLanes) visit(j, kLanes);
  if (j < size) visit(j, size - j);
}

// What is no logit counts for nothing.
HWY_INLINE Floats load_logits(std::int64_t count, const float* logits) {
  if (count == kLanes) return load(logits);
  const auto is_logit = hn::FirstN(FloatTag(), static_cast<std::size_t>(count));
  return hn::IfThenElse(is_logit, load_first(count, logits), broadcast(kMinusInfinity));
}

HWY_INLINE Floats load_row(std::int64_t count, const float* from) {
  return count == kLanes ? load(from) : load_first(count, from);
}

HWY_INLINE void store_row(std::int64_t count, Floats v, float* to) {
  if (count == kLanes) return store(v, to);
  store_first(count, v, to);
}

HWY_INLINE float sum_of_lanes(Floats v) { return hn::GetLane(hn::SumOfLanes(FloatTag(), v)); }

HWY_INLINE float largest_of(std::int64_t num_classes, const float* logits) {
  Floats largest = broadcast(kMinusInfinity);
  for_each_vector(num_classes, [&](std::int64_t j, std::int64_t count) HWY_ATTR {
    largest = hn::Max(largest, load_logits(count, logits + j));
  });
  return hn::GetLane(hn::MaxOfLanes(FloatTag(), largest));
}

// The sum of exp(x_j - m) over all classes but one of the maximum m, which is NaN where a logit is
// one or no finite one exists. Each exponential goes to `keep`.
template <typename Keep>
HWY_INLINE float sum_but_largest(std::int64_t num_classes, const float* logits, float largest,
                                 const Keep& keep) {
  const Floats maximum = broadcast(largest);
  Floats below = zeros(), ties = zeros();
  for_each_vector(num_classes, [&](std::int64_t j, std::int64_t count) HWY_ATTR {
    const Floats x = load_logits(count, logits + j);
    const Floats e = exp_of(hn::Sub(x, maximum));
    const auto is_largest = hn::Eq(x, maximum);
    below = hn::Add(below, hn::IfThenZeroElse(is_largest, e));
    ties = hn::Add(ties, hn::IfThenElseZero(is_largest, broadcast(1.0F)));
    keep(j, count, e);
  });
  return sum_of_lanes(below) + (sum_of_lanes(ties) - 1.0F) + (largest - largest);
}

void softmax_simd(const SoftmaxShape& shape, const float* logits, float* y) {
  for (std::int64_t i = 0; i < shape.N; ++i) {
    const float* row = logits + i * shape.num_classes;
    float* out = y + i * shape.num_classes;
    const float largest = largest_of(shape.num_classes, row);
    const auto keep = [&](std::int64_t j, std::int64_t count, Floats e)
                          HWY_ATTR { store_row(count, e, out + j); };
    const float rest = sum_but_largest(shape.num_classes, row, largest, keep);
    const Floats inverse = broadcast(1.0F / (1.0F + rest));
    for_each_vector(shape.num_classes, [&](std::int64_t j, std::int64_t count) HWY_ATTR {
      store_row(count, hn::Mul(load_row(count, out + j), inverse), out + j);
    });
  }
}

void log_softmax_simd(const SoftmaxShape& shape, const float* logits, float* y) {
  const Floats lowest = broadcast(std::numeric_limits<float>::lowest());
  const Floats minus_infinity = broadcast(kMinusInfinity);
  for (std::int64_t i = 0; i < shape.N; ++i) {
    const float* row = logits + i * shape.num_classes;
    float* out = y + i * shape.num_classes;
    const float largest = largest_of(shape.num_classes, row);
    const auto drop = [](std::int64_t /*j*/, std::int64_t /*count*/, Floats /*e*/) HWY_ATTR {};
    const float rest = sum_but_largest(shape.num_classes, row, largest, drop);
    const Floats log_sum = broadcast(std::log1p(rest)), maximum = broadcast(largest);
    for_each_vector(shape.num_classes, [&](std::int64_t j, std::int64_t count) HWY_ATTR {
      const Floats x = load_row(count, row + j);
      const Floats log_prob = hn::Sub(hn::Sub(x, maximum), log_sum);
      const auto is_below_all = hn::And(hn::Lt(log_prob, lowest), hn::Gt(x, minus_infinity));
      store_row(count, hn::IfThenElse(is_below_all, lowest, log_prob), out + j);
    });
  }
}

void softmax_backward_simd(const SoftmaxShape& shape, const float* y, const float* dy, float* dx) {
  for (std::int64_t i = 0; i < shape.N; ++i) {
    const std::int64_t row = i * shape.num_classes;
    Floats sum = zeros();
    for_each_vector(shape.num_classes, [&](std::int64_t j, std::int64_t count) HWY_ATTR {
      sum = hn::MulAdd(load_row(count, y + row + j), load_row(count, dy + row + j), sum);
    });
    const Floats mean = broadcast(sum_of_lanes(sum));
    for_each_vector(shape.num_classes, [&](std::int64_t j, std::int64_t count) HWY_ATTR {
      const Floats difference = hn::Sub(load_row(count, dy + row + j), mean);
      store_row(count, hn::Mul(load_row(count, y + row + j), difference), dx + row + j);
    });
  }
}

void log_softmax_backward_simd(const SoftmaxShape& shape, const float* y, const float* dy,
                               float* dx) {
  for (std::int64_t i = 0; i < shape.N; ++i) {
    const std::int64_t row = i * shape.num_classes;
    Floats sum = zeros();
    for_each_vector(shape.num_classes, [&](std::int64_t j, std::int64_t count) HWY_ATTR {
      sum = hn::Add(sum, load_row(count, dy + row + j));
    });
    const Floats total = broadcast(sum_of_lanes(sum));
    for_each_vector(shape.num_classes, [&](std::int64_t j, std::int64_t count) HWY_ATTR {
      const Floats prob = exp_of(load_row(count, y + row + j));
      store_row(count, hn::NegMulAdd(prob, total, load_row(count, dy + row + j)), dx + row + j);
    });
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(softmax_simd);
HWY_EXPORT(log_softmax_simd);
HWY_EXPORT(softmax_backward_simd);
HWY_EXPORT(log_softmax_backward_simd);

void require_valid(const SoftmaxShape& shape) {
  GRADFLIP_REQUIRE(
      shape.N >= 0 && shape.num_classes > 0,
      message("softmax: N is ", shape.N, " (>= 0), num_classes is ", shape.num_classes, " (> 0)"));
}

void softmax(Cpu /*ctx*/, const SoftmaxShape& shape, const float* logits, float* y) {
  require_valid(shape);
  HWY_DYNAMIC_DISPATCH(softmax_simd)(shape, logits, y);
}

void log_softmax(Cpu /*ctx*/, const SoftmaxShape& shape, const float* logits, float* y) {
  require_valid(shape);
  HWY_DYNAMIC_DISPATCH(log_softmax_simd)(shape, logits, y);
}

void softmax_backward(Cpu /*ctx*/, const SoftmaxShape& shape, const float* y, const float* dy,
                      float* dx) {
  require_valid(shape);
  HWY_DYNAMIC_DISPATCH(softmax_backward_simd)(shape, y, dy, dx);
}

void log_softmax_backward(Cpu /*ctx*/, const SoftmaxShape& shape, const float* y, const float* dy,
                          float* dx) {
  require_valid(shape);
  HWY_DYNAMIC_DISPATCH(log_softmax_backward_simd)(shape, y, dy, dx);
}

}  // namespace gradflip
#endif  // HWY_ONCE
