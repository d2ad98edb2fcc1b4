#include "kernels/sgd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sgd.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

template <bool kNesterov>
void sgd_loop(std::int64_t size, const SgdOptions& options, float learning_rate,
              float gradient_scale, const float* gradient, float* weight, float* velocity) {
  const Floats momentum = broadcast(options.momentum);
  const Floats decay = broadcast(options.weight_decay);
  const Floats rate = broadcast(learning_rate);
  const Floats scale = broadcast(gradient_scale);
  const auto update = [&](Floats gradients, Floats& w, Floats& v) HWY_ATTR {
    const Floats g = hn::MulAdd(decay, w, hn::Mul(scale, gradients));
    v = hn::MulAdd(momentum, v, g);
    w = hn::NegMulAdd(rate, kNesterov ? hn::MulAdd(momentum, v, g) : v, w);
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

void sgd_simd(std::int64_t size, const SgdOptions& options, float learning_rate,
              float gradient_scale, const float* gradient, float* weight, float* velocity) {
  const auto loop = options.nesterov ? sgd_loop<true> : sgd_loop<false>;
  loop(size, options, learning_rate, gradient_scale, gradient, weight, velocity);
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(sgd_simd);

void sgd(Cpu /*ctx*/, const SgdUpdate& update) {
  if (update.frozen != nullptr && *update.frozen != 0) return;
  const float scale = update.gradient_scale == nullptr ? 1.0F : *update.gradient_scale;
  for_each_stretch(update.size, update.kinds,
                   [&](std::int64_t begin, std::int64_t end, UpdateKind kind) {
                     SgdOptions options = update.options;
                     if (kind == UpdateKind::kWithoutDecay) options.weight_decay = 0.0F;
                     HWY_DYNAMIC_DISPATCH(sgd_simd)
                     (end - begin, options, *update.learning_rate, scale, update.gradient + begin,
                      update.weight + begin, update.velocity + begin);
                   });
}

}  // namespace gradflip
#endif  // HWY_ONCE
