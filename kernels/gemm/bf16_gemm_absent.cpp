// For compilers without bf16 products.
#include "kernels/gemm/bf16_gemm.h"

namespace gradflip {

const Bf16Gemm* avx512_bf16_gemm() { return nullptr; }

}  // namespace gradflip
