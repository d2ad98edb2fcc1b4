#include "kernels/sgd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sgd.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

void sgd_simd(std::int64_t size, const SgdOptions& options, float learning_rate,
              const float* gradient, float* weight, float* velocity) {
  const Floats momentum = broadcast(options.momentum);
  const Floats decay = broadcast(options.weight_decay);
  const Floats rate = broadcast(learning_rate);
  const auto update = [&](Floats g, Floats& w, Floats& v) HWY_ATTR {
    v = hn::MulAdd(momentum, v, hn::MulAdd(decay, w, g));
    w = hn::NegMulAdd(rate, v, w);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    Floats w = load(weight + i);
    Floats v = load(velocity + i);
    update(load(gradient + i), w, v);
    store(w, weight + i);
    store(v, velocity + i);
  }
  if (i < size) {
    const std::int64_t rest = size - i;
    Floats w = load_first(rest, weight + i);
    Floats v = load_first(rest, velocity + i);
    update(load_first(rest, gradient + i), w, v);
    store_first(rest, w, weight + i);
    store_first(rest, v, velocity + i);
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(sgd_simd);

void sgd(Cpu /*ctx*/, std::int64_t size, const SgdOptions& options, const float* learning_rate,
         const std::int32_t* frozen, const float* gradient, float* weight, float* velocity) {
  if (frozen != nullptr && *frozen != 0) return;
  HWY_DYNAMIC_DISPATCH(sgd_simd)(size, options, *learning_rate, gradient, weight, velocity);
}

}  // namespace gradflip
#endif  // HWY_ONCE
