#include "kernels/average.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/average.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

void average_simd(std::int64_t size, float decay, const float* weight, float* averaged) {
  const Floats keep = broadcast(decay), take = broadcast(1.0F - decay);
  const auto average = [&](Floats w, Floats a)
                           HWY_ATTR { return hn::MulAdd(keep, a, hn::Mul(take, w)); };
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    store(average(load(weight + i), load(averaged + i)), averaged + i);
  }
  if (i < size) {
    const std::int64_t rest = size - i;
    store_first(rest, average(load_first(rest, weight + i), load_first(rest, averaged + i)),
                averaged + i);
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(average_simd);

void average(Cpu /*ctx*/, const AverageUpdate& update) {
  if (update.frozen != nullptr && *update.frozen != 0) return;
  for_each_stretch(
      update.size, update.kinds, [&](std::int64_t begin, std::int64_t end, UpdateKind /*kind*/) {
        HWY_DYNAMIC_DISPATCH(average_simd)
        (end - begin, value_of(update.decay), update.weight + begin, update.averaged + begin);
      });
}

}  // namespace gradflip
#endif  // HWY_ONCE
