// Matrix products at the sizes of the heads' linear layers.
#include <memory>
#include <set>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/kernels/gemm_cost.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/gemm.h"
#include "tests/support/reference/gemm.h"

namespace gradflip::bench {
namespace {

using reference::widen;

template <typename Ctx>
struct GemmArrays {
  GemmArrays(Ctx ctx, const GemmShape& shape)
      : context(ctx),
        a(ctx, many_random_floats(shape.M * shape.K, 1)),
        b(ctx, many_random_floats(shape.K * shape.N, 2)),
        c(ctx, shape.M * shape.N) {}

  void run(const GemmShape& shape) const {
    gemm(context, shape, Scale{}, a.data(), b.data(), Write::kOverwrite, c.data());
  }

  Ctx context;
  Array<float> a, b, c;
};

template <typename Ctx>
std::string check(Ctx ctx, const GemmShape& shape) {
  const GemmArrays<Ctx> arrays(ctx, shape);
  arrays.run(shape);
  return differences("c", arrays.c.read(),
                     reference::gemm(shape, 1.0, widen(arrays.a.read()), widen(arrays.b.read())),
                     sum_tolerance(shape.math));
}

template <typename Ctx>
void add_layer(Suite& suite, Ctx ctx, const LinearLayer& layer) {
  constexpr std::int64_t kSmallBatch = 33;  // one more than a warp's or a tile's rows
  for (const std::int64_t batch : suite.batches) {
    for (const Math math : suite.maths) {
      const auto small = linear_products(layer, kSmallBatch, math);
      const auto products = linear_products(layer, batch, math);
      for (std::size_t i = 0; i < products.size(); ++i) {
        const GemmShape shape = products[i].shape, small_shape = small[i].shape;
        suite.add({products[i].op, shape_name(layer), batch, math, kOurs, gemm_work(shape),
                   [=] {
                     const auto arrays = std::make_shared<GemmArrays<Ctx>>(ctx, shape);
                     return [=] { arrays->run(shape); };
                   },
                   [=] { return check(ctx, small_shape); }});
      }
    }
  }
}

}  // namespace

void add_gemm_cases(Suite& suite) {
  std::set<std::string> seen;
  for (const LinearLayer& layer : std::vector(suite.shapes.linear_layers)) {
    if (!seen.insert(shape_name(layer)).second) continue;
    std::visit([&](auto ctx) { add_layer(suite, ctx, layer); }, suite.context);
  }
}

}  // namespace gradflip::bench
