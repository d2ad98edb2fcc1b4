// cuBLAS on the GPU: the matrix products of the linear layers, and the peak of a large one.
#include <cuda_bf16.h>

#include <algorithm>
#include <memory>
#include <set>

#include "benchmarks/kernels/gemm_cost.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/timer.h"
#include "benchmarks/yardsticks/yardsticks.h"
#include "tests/cross_check/cublas_gemm.h"

namespace gradflip::bench {
namespace {

// Result checks are tests/cross_check/cublas_cross_check_test.cpp.
struct CublasProduct {
  CublasProduct(Cuda ctx, const GemmShape& gemm_shape)
      : shape(gemm_shape),
        cublas(ctx),
        a(ctx, many_random_floats(shape.M * shape.K, 1)),
        b(ctx, many_random_floats(shape.K * shape.N, 2)),
        c(ctx, shape.M * shape.N) {}

  void run() const { cublas.gemm(shape, 1.0F, a.data(), b.data(), 0.0F, c.data()); }

  GemmShape shape;
  Cublas cublas;
  Array<float> a, b, c;
};

void add_products(Suite& suite, Cuda ctx, const LinearLayer& layer) {
  for (const std::int64_t batch : suite.batches) {
    for (const Math math : suite.maths) {
      for (const LinearProduct& product : linear_products(layer, batch, math)) {
        const GemmShape shape = product.shape;
        suite.add({product.op, shape_name(layer), batch, math, "cuBLAS", gemm_work(shape),
                   [=] {
                     const auto data = std::make_shared<CublasProduct>(ctx, shape);
                     return [=] { data->run(); };
                   },
                   nullptr});
      }
    }
  }
}

// The two products that merge_fused replaces, the reversal as the factor of the first.
void add_merge(Suite& suite, Cuda ctx) {
  const std::int64_t features = suite.shapes.features;
  const std::int64_t width = suite.shapes.linear("domain_classifier.fc1").out_features;
  for (const std::int64_t batch : suite.batches) {
    for (const Math math : suite.maths) {
      const GemmShape domain{batch, features, width, false, false, math};
      const GemmShape label{batch / 2, features, width, false, false, math};
      Work work = gemm_work(domain);
      work.flops += gemm_work(label).flops;
      work.bytes += 4.0 * static_cast<double>(label.M * width + width * features);
      suite.add({"merge_fused", "features", batch, math, "cuBLAS", work,
                 [=] {
                   const auto first = std::make_shared<CublasProduct>(ctx, domain);
                   const auto second = std::make_shared<CublasProduct>(ctx, label);
                   return [=] {
                     first->cublas.gemm(domain, -0.7F, first->a.data(), first->b.data(), 0.0F,
                                        first->c.data());
                     first->cublas.gemm(label, 1.0F, second->a.data(), second->b.data(), 1.0F,
                                        first->c.data());
                   };
                 },
                 nullptr});
    }
  }
}

// bf16 arrays, as the library is fastest with.
Operation large_bf16_product(Cuda ctx, const GemmShape& shape) {
  struct Data {
    Cublas cublas;
    Array<__nv_bfloat16> a, b;
    Array<float> c;
  };
  std::vector<__nv_bfloat16> values;
  for (const float value : many_random_floats(shape.M * shape.K, 1)) {
    values.push_back(__float2bfloat16(value));
  }
  const std::shared_ptr<Data> data(new Data{Cublas(ctx), Array<__nv_bfloat16>(ctx, values),
                                            Array<__nv_bfloat16>(ctx, values),
                                            Array<float>(ctx, shape.M * shape.N)});
  return [=] {
    data->cublas.gemm(shape, 1.0F, data->a.data(), data->b.data(), 0.0F, data->c.data(),
                      CUDA_R_16BF);
  };
}

double fastest_flops(Cuda ctx, const GemmShape& shape, const Operation& product) {
  const std::unique_ptr<Timer> timer = start_timer(ctx, {product});
  double best = 0.0;
  for (int window = 0; window < 5; ++window) {
    const Sample sample = timer->sample();
    best = std::max(best, gemm_work(shape).flops * sample.calls / sample.seconds);
  }
  return best;
}

void raise(Cuda ctx, Peaks& peaks) {
  constexpr std::int64_t kSize = 8192;
  const auto at_least = [&](Math math, double flops) {
    double& peak = peaks.flops[static_cast<std::size_t>(math)];
    peak = std::max(peak, flops);
  };
  const GemmShape tf32{kSize, kSize, kSize, false, false, Math::kTf32};
  const auto product = std::make_shared<CublasProduct>(ctx, tf32);
  at_least(Math::kTf32, fastest_flops(ctx, tf32, [=] { product->run(); }));
  const GemmShape bf16{kSize, kSize, kSize, false, false, Math::kBf16};
  at_least(Math::kBf16, fastest_flops(ctx, bf16, large_bf16_product(ctx, bf16)));
}

}  // namespace

void add_cublas_cases(Suite& suite) {
  const Cuda* ctx = std::get_if<Cuda>(&suite.context);
  if (ctx == nullptr) return;
  std::set<std::string> seen;
  for (const LinearLayer& layer : std::vector(suite.shapes.linear_layers)) {
    if (seen.insert(shape_name(layer)).second) add_products(suite, *ctx, layer);
  }
  add_merge(suite, *ctx);
}

void raise_to_cublas_peaks(const Context& context, Peaks& peaks) {
  if (const Cuda* ctx = std::get_if<Cuda>(&context)) raise(*ctx, peaks);
}

}  // namespace gradflip::bench
