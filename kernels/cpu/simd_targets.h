// Which instruction sets the CPU kernels are compiled for. Everything that sees Highway includes it
// through here, as Highway's own inline functions depend on this choice.
//
// AVX-512, AVX2 + FMA, SSE4 and the baseline (scalar or SSE2, by Highway's version) on x86; NEON on
// Arm. SSSE3 would add nothing to SSE4. Vectors of unknown length are off: accumulators are arrays
// of vectors.
#pragma once

#ifdef HWY_DISABLED_TARGETS
#error "Highway came in before its targets were chosen"
#endif
// GRADFLIP_SIMD_LEFT_OUT comes from CMake: none, but where mistakes are looked for, not speed.
#define HWY_DISABLED_TARGETS \
  (GRADFLIP_SIMD_LEFT_OUT | HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#include "hwy/targets.h"

// Before a loop with a constant trip count that has to vanish, so that its accumulators live in
// registers. The condition is Highway's name for the compiler.
#if HWY_COMPILER_CLANG
#define GRADFLIP_UNROLL _Pragma("unroll")
#else
#define GRADFLIP_UNROLL _Pragma("GCC unroll 32")
#endif
