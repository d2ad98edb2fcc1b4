// The register tiles of convolution_tile.h in f32, per SIMD target (see simd.h).

#include "kernels/cpu/simd.h"  // before the guard: it switches targets

#if defined(GRADFLIP_KERNELS_CPU_CONVOLUTION_F32_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADFLIP_KERNELS_CPU_CONVOLUTION_F32_H
#undef GRADFLIP_KERNELS_CPU_CONVOLUTION_F32_H
#else
#define GRADFLIP_KERNELS_CPU_CONVOLUTION_F32_H
#endif

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

using Element = float;
using Elements = Floats;

HWY_INLINE Elements load_elements(const Element* p) { return load(p); }
HWY_INLINE Elements broadcast_element(const Element* p) { return broadcast(*p); }
HWY_INLINE Floats multiply_add(Elements a, Elements b, Floats sum) { return hn::MulAdd(a, b, sum); }

#include "kernels/cpu/convolution_tile.h"

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
