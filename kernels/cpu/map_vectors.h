// Elementwise loops over float arrays, per SIMD target (see simd.h).

#include "kernels/cpu/simd.h"  // before the guard: it switches targets

#if defined(GRADFLIP_KERNELS_CPU_MAP_VECTORS_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADFLIP_KERNELS_CPU_MAP_VECTORS_H
#undef GRADFLIP_KERNELS_CPU_MAP_VECTORS_H
#else
#define GRADFLIP_KERNELS_CPU_MAP_VECTORS_H
#endif

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// y[i] = function(x[i]...), a vector at a time; y may be one of the inputs. The rest goes through
// the same function, so that a number's bits do not depend on its place.
template <typename Function, typename... Inputs>
HWY_INLINE void map_vectors(std::int64_t size, const Function& function, float* y,
                            const Inputs*... x) {
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) store(function(load(x + i)...), y + i);
  if (i < size) store_first(size - i, function(load_first(size - i, x + i)...), y + i);
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
