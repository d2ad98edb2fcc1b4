// Matrix products with operands rounded to bf16, where the processor has products of such pairs.
#pragma once

#include "kernels/gemm.h"

namespace gradflip {

struct Bf16Gemm {
  // gemm.h's product with these operands, whatever shape.math says. Not both operands transposed;
  // M, N and K are at least 1.
  void (*run)(const GemmShape& shape, float scale, const float* a, const float* b, Write write,
              float* c);
};

// Null where this processor has no such products, or the compiler cannot make them.
const Bf16Gemm* avx512_bf16_gemm();

// What shape.math asks for; null: f32. Products of few columns, or of short rows, cost more to
// round than they save.
inline const Bf16Gemm* bf16_gemm(const GemmShape& shape) {
  constexpr std::int64_t kFew = 16;
  const bool pays = shape.N >= kFew && shape.K >= kFew && !(shape.transpose_a && shape.transpose_b);
  return shape.math == Math::kBf16 && pays ? avx512_bf16_gemm() : nullptr;
}

}  // namespace gradflip
