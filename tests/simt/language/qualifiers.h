// CUDA's keywords. __shared__ is left out on purpose: a static array would be neither reset between
// blocks nor checked; GRADFLIP_SHARED of kernels/cuda/simt.h is. And __noinline__ needs no help:
// the compiler has it as an attribute, and the standard library uses it.
#pragma once

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
