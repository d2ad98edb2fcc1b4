// Matrix product on the CPU. Which of the two decompositions runs follows from how B is stored:
// gemm_broadcast.h for rows of B along n, gemm_dot.h for rows along k. Only A^T B^T, which no layer
// needs, is plain loops.

#include "kernels/gemm.h"

#include <algorithm>

#include "kernels/gemm/bf16_gemm.h"
#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm/gemm.cpp"
#include "kernels/cpu/simd.h"
#include "kernels/gemm/gemm_broadcast.h"
#include "kernels/gemm/gemm_dot.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

void gemm_both_transposed(const GemmShape& shape, const float* a, const float* b, Epilogue epilogue,
                          float* c) {
  for (std::int64_t m = 0; m < shape.M; ++m) {
    for (std::int64_t n = 0; n < shape.N; ++n) {
      float sum = 0.0F;
      for (std::int64_t k = 0; k < shape.K; ++k) sum += a[k * shape.M + m] * b[n * shape.K + k];
      float& to = c[m * shape.N + n];
      const float result = epilogue.scale * sum;
      to = epilogue.write == Write::kAccumulate ? to + result : result;
    }
  }
}

void gemm_simd(const GemmShape& shape, float scale, const float* a, const float* b, Write write,
               float* c) {
  const Epilogue epilogue{scale, write};
  if (!shape.transpose_b) {
    const LeftOperand left{a, shape.transpose_a ? 1 : shape.K, shape.transpose_a ? shape.M : 1};
    gemm_broadcast(shape.M, shape.N, shape.K, left, b, epilogue, c);
  } else if (!shape.transpose_a) {
    gemm_dot(shape.M, shape.N, shape.K, a, b, epilogue, c);
  } else {
    gemm_both_transposed(shape, a, b, epilogue, c);
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(gemm_simd);

void require_valid(const GemmShape& shape) {
  GRADFLIP_REQUIRE(shape.M >= 0 && shape.N >= 0 && shape.K >= 0,
                   message("gemm: M, N, K are ", shape.M, ", ", shape.N, ", ", shape.K));
}

void require_valid_terms(std::int64_t rows, std::int64_t N, std::span<const GemmTerm> terms) {
  GRADFLIP_REQUIRE(terms.size() <= kMaxGemmTerms,
                   message("gemm_terms: ", terms.size(), " terms, at most ", kMaxGemmTerms));
  GRADFLIP_REQUIRE(rows >= 0 && N >= 0, message("gemm_terms: C is ", rows, " x ", N));
  for (const GemmTerm& term : terms) {
    GRADFLIP_REQUIRE(
        term.row_begin >= 0 && term.M >= 0 && term.K >= 0 && term.row_begin <= rows - term.M,
        message("gemm_terms: rows ", term.row_begin, " to ", term.row_begin + term.M,
                " of a term with K ", term.K, ", but C has ", rows));
  }
}

void gemm(Cpu /*ctx*/, const GemmShape& shape, Scale scale, const float* a, const float* b,
          Write write, float* c) {
  require_valid(shape);
  if (shape.M == 0 || shape.N == 0) return;
  if (shape.K == 0) {
    if (write == Write::kOverwrite) std::fill_n(c, shape.M * shape.N, 0.0F);
    return;
  }
  if (const Bf16Gemm* bf16 = bf16_gemm(shape)) {
    return bf16->run(shape, value_of(scale), a, b, write, c);
  }
  HWY_DYNAMIC_DISPATCH(gemm_simd)(shape, value_of(scale), a, b, write, c);
}

void gemm_terms(Cpu ctx, std::int64_t rows, std::int64_t N, std::span<const GemmTerm> terms,
                Math math, float* c) {
  require_valid_terms(rows, N, terms);
  // Between two neighbouring ends of terms all rows have the same terms: the first overwrites.
  for (std::int64_t begin = 0; begin < rows;) {
    std::int64_t end = rows;
    for (const GemmTerm& term : terms) {
      for (const std::int64_t edge : {term.row_begin, term.row_begin + term.M}) {
        if (edge > begin) end = std::min(end, edge);
      }
    }
    Write write = Write::kOverwrite;
    for (const GemmTerm& term : terms) {
      if (term.row_begin > begin || term.row_begin + term.M <= begin) continue;
      const GemmShape shape{.M = end - begin, .N = N, .K = term.K, .math = math};
      gemm(ctx, shape, term.scale, term.a + (begin - term.row_begin) * term.K, term.b, write,
           c + begin * N);
      write = Write::kAccumulate;
    }
    if (write == Write::kOverwrite) std::fill_n(c + begin * N, (end - begin) * N, 0.0F);
    begin = end;
  }
}

}  // namespace gradflip
#endif  // HWY_ONCE
