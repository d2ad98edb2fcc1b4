// Which thread this is. Plain objects, rewritten whenever another thread goes on.
#pragma once

#include "vector_types.h"

extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
inline constexpr int warpSize = 32;
