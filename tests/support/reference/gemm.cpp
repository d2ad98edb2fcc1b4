#include "tests/support/reference/gemm.h"

namespace gradflip::reference {

Sums gemm(const GemmShape& shape, double scale, const std::vector<double>& a,
          const std::vector<double>& b) {
  Sums c(shape.M * shape.N);
  for (std::int64_t i = 0; i < shape.M; ++i) {
    for (std::int64_t j = 0; j < shape.N; ++j) {
      for (std::int64_t inner = 0; inner < shape.K; ++inner) {
        const double left = a.at(shape.transpose_a ? inner * shape.M + i : i * shape.K + inner);
        const double right = b.at(shape.transpose_b ? j * shape.K + inner : inner * shape.N + j);
        c.add(i * shape.N + j, scale * left * right);
      }
    }
  }
  return c;
}

Sums gemm_terms(std::int64_t rows, std::int64_t N, const std::vector<GemmTerm>& terms) {
  Sums c(rows * N);
  for (const GemmTerm& term : terms) {
    for (std::int64_t i = 0; i < term.M; ++i) {
      for (std::int64_t j = 0; j < N; ++j) {
        for (std::int64_t inner = 0; inner < term.K; ++inner) {
          c.add((term.row_begin + i) * N + j,
                term.scale * term.a.at(i * term.K + inner) * term.b.at(inner * N + j));
        }
      }
    }
  }
  return c;
}

}  // namespace gradflip::reference
