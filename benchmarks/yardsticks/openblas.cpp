// OpenBLAS on one thread, as our kernels: the matrix products of the linear layers.
#include <cblas.h>

#include <memory>
#include <set>

#include "benchmarks/kernels/gemm_cost.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "benchmarks/yardsticks/yardsticks.h"
#include "tests/support/reference/gemm.h"

namespace gradflip::bench {
namespace {

struct GemmData {
  explicit GemmData(const GemmShape& gemm_shape)
      : shape(gemm_shape),
        a(many_random_floats(shape.M * shape.K, 1)),
        b(many_random_floats(shape.K * shape.N, 2)),
        c(static_cast<std::size_t>(shape.M * shape.N)) {}

  void run() {
    const auto M = static_cast<int>(shape.M), N = static_cast<int>(shape.N);
    const auto K = static_cast<int>(shape.K);
    cblas_sgemm(CblasRowMajor, shape.transpose_a ? CblasTrans : CblasNoTrans,
                shape.transpose_b ? CblasTrans : CblasNoTrans, M, N, K, 1.0F, a.data(),
                shape.transpose_a ? M : K, b.data(), shape.transpose_b ? K : N, 0.0F, c.data(), N);
  }

  GemmShape shape;
  std::vector<float> a, b, c;
};

std::string check(const GemmShape& shape) {
  GemmData data(shape);
  data.run();
  return differences(
      "c", data.c, reference::gemm(shape, 1.0, reference::widen(data.a), reference::widen(data.b)),
      kSum);
}

}  // namespace

void add_openblas_cases(Suite& suite) {
  if (!std::holds_alternative<Cpu>(suite.context)) return;
  openblas_set_num_threads(1);
  std::set<std::string> seen;
  for (const LinearLayer& layer : std::vector(suite.shapes.linear_layers)) {
    if (!seen.insert(shape_name(layer)).second) continue;
    for (const std::int64_t batch : suite.batches) {
      for (const LinearProduct& product : linear_products(layer, batch, Math::kF32)) {
        const GemmShape shape = product.shape;
        suite.add({product.op, shape_name(layer), batch, Math::kF32, "OpenBLAS", gemm_work(shape),
                   [=] {
                     const auto data = std::make_shared<GemmData>(shape);
                     return [=] { data->run(); };
                   },
                   [=] { return check(shape); }});
      }
    }
  }
}

}  // namespace gradflip::bench
