// Reference of kernels/gemm.h.
#pragma once

#include <vector>

#include "kernels/gemm.h"
#include "tests/support/reference/sums.h"

namespace gradflip::reference {

Sums gemm(const GemmShape& shape, double scale, const std::vector<double>& a,
          const std::vector<double>& b);

struct GemmTerm {
  std::vector<double> a;  // (M, K)
  std::vector<double> b;  // (K, N)
  std::int64_t row_begin = 0;
  std::int64_t M = 0, K = 0;
  double scale = 1.0;
};
Sums gemm_terms(std::int64_t rows, std::int64_t N, const std::vector<GemmTerm>& terms);

}  // namespace gradflip::reference
