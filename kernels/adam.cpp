#include "kernels/adam.h"

#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/adam.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

void adam_simd(std::int64_t size, const AdamOptions& options, const AdamFactors& factors,
               const float* gradient, float* weight, float* first_moment, float* second_moment) {
  const Floats beta1 = broadcast(options.beta1), rest1 = broadcast(1.0F - options.beta1);
  const Floats beta2 = broadcast(options.beta2), rest2 = broadcast(1.0F - options.beta2);
  const Floats epsilon = broadcast(options.epsilon), rate = broadcast(factors.rate);
  const Floats root_factor = broadcast(factors.root_factor);
  const Floats decay = broadcast(factors.coupled_decay), loss = broadcast(factors.weight_loss);
  const Floats scale = broadcast(factors.gradient_scale);
  const auto update = [&](Floats gradients, Floats& w, Floats& m, Floats& v) HWY_ATTR {
    const Floats g = hn::MulAdd(decay, w, hn::Mul(scale, gradients));
    m = hn::MulAdd(beta1, m, hn::Mul(rest1, g));
    v = hn::MulAdd(beta2, v, hn::Mul(hn::Mul(rest2, g), g));
    w = hn::NegMulAdd(loss, w, w);
    w = hn::NegMulAdd(rate, hn::Div(m, hn::MulAdd(hn::Sqrt(v), root_factor, epsilon)), w);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    Floats w = load(weight + i);
    Floats m = load(first_moment + i);
    Floats v = load(second_moment + i);
    update(load(gradient + i), w, m, v);
    store(w, weight + i);
    store(m, first_moment + i);
    store(v, second_moment + i);
  }
  if (i < size) {
    const std::int64_t rest = size - i;
    Floats w = load_first(rest, weight + i);
    Floats m = load_first(rest, first_moment + i);
    Floats v = load_first(rest, second_moment + i);
    update(load_first(rest, gradient + i), w, m, v);
    store_first(rest, w, weight + i);
    store_first(rest, m, first_moment + i);
    store_first(rest, v, second_moment + i);
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(adam_simd);

void require_valid(const AdamOptions& options) {
  const auto is_beta = [](float beta) { return beta >= 0.0F && beta < 1.0F; };
  GRADFLIP_REQUIRE(is_beta(options.beta1) && is_beta(options.beta2),
                   message("adam: beta1 is ", options.beta1, ", beta2 ", options.beta2,
                           "; both must be in [0, 1)"));
  GRADFLIP_REQUIRE(options.epsilon > 0.0F && options.weight_decay >= 0.0F,
                   message("adam: epsilon is ", options.epsilon, " (> 0), weight decay ",
                           options.weight_decay, " (>= 0)"));
}

void adam(Cpu /*ctx*/, const AdamUpdate& update) {
  require_valid(update.options);
  if (update.frozen != nullptr && *update.frozen != 0) return;
  const AdamFactors with_decay = adam_factors(update);
  for_each_stretch(
      update.size, update.kinds, [&](std::int64_t begin, std::int64_t end, UpdateKind kind) {
        AdamFactors factors = with_decay;
        if (kind == UpdateKind::kWithoutDecay) factors.coupled_decay = factors.weight_loss = 0.0F;
        HWY_DYNAMIC_DISPATCH(adam_simd)
        (end - begin, update.options, factors, update.gradient + begin, update.weight + begin,
         update.first_moment + begin, update.second_moment + begin);
      });
}

}  // namespace gradflip
#endif  // HWY_ONCE
