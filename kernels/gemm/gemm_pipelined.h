// gemm for large products on tensor cores: gemm hands over what pays here (gemm_pipelined.cu).
#pragma once

#include "kernels/context.h"
#include "kernels/gemm.h"
#include "kernels/write.h"

namespace gradflip {

// Whether gemm_pipelined can compute this product: in tf32 or bf16, A and B beginning on 16 bytes,
// and each stored with lines of a multiple of four floats, on a GPU that gives a block 68 KiB.
bool gemm_pipelined_can(Cuda ctx, const GemmShape& shape, const float* a, const float* b);

// Whether it can, and is worth it: enough whole tiles for all multiprocessors.
bool gemm_pipelined_pays(Cuda ctx, const GemmShape& shape, const float* a, const float* b);

// The contract of gemm, for products that it can compute.
void gemm_pipelined(Cuda ctx, const GemmShape& shape, Scale scale, const float* a, const float* b,
                    Write write, float* c);

}  // namespace gradflip
