// Matrix product: C (M,N) (+)= scale * op(A) (M,K) op(B) (K,N), row-major, dense f32.
//
// transpose_a: A is stored (K,M); transpose_b: B is stored (N,K). M, N or K may be 0 (K = 0 writes
// zeros, or adds none). C may alias neither A nor B.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/context.h"
#include "kernels/math_mode.h"
#include "kernels/write.h"

namespace gradflip {

struct GemmShape {
  std::int64_t M = 0, N = 0, K = 0;
  bool transpose_a = false, transpose_b = false;
  Math math = Math::kF32;
};

// Throws std::invalid_argument if a size is negative.
void require_valid(const GemmShape& shape);

void gemm(Cpu ctx, const GemmShape& shape, Scale scale, const float* a, const float* b, Write write,
          float* c);
void gemm(Cuda ctx, const GemmShape& shape, Scale scale, const float* a, const float* b,
          Write write, float* c);

// One product of a sum of products that share C's columns: C[row_begin : row_begin + M, :] += scale
// * A B.
struct GemmTerm {
  const float* a = nullptr;  // (M, K)
  const float* b = nullptr;  // (K, N)
  std::int64_t row_begin = 0;
  std::int64_t M = 0, K = 0;
  Scale scale;
};

// C (rows, N) = sum of the terms, each over its own rows; rows that no term names become zero. This
// is the input gradient of several linear layers on one tensor in one launch: with scale = -lambda
// on one of them, gradient reversal costs neither a launch nor a pass over memory. A term's A is
// read, never scaled in memory. At most kMaxGemmTerms terms.
inline constexpr std::size_t kMaxGemmTerms = 8;

// Throws std::invalid_argument for too many terms, negative sizes, or a term outside C's rows.
void require_valid_terms(std::int64_t rows, std::int64_t N, std::span<const GemmTerm> terms);

void gemm_terms(Cpu ctx, std::int64_t rows, std::int64_t N, std::span<const GemmTerm> terms,
                Math math, float* c);
void gemm_terms(Cuda ctx, std::int64_t rows, std::int64_t N, std::span<const GemmTerm> terms,
                Math math, float* c);

}  // namespace gradflip
