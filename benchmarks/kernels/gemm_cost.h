// The matrix products of a linear layer, for our kernels and for yardsticks.
#pragma once

#include <array>
#include <string>

#include "benchmarks/support/suite.h"
#include "kernels/gemm.h"

namespace gradflip::bench {

struct LinearProduct {
  std::string op;  // "linear_forward"
  GemmShape shape;
};

// y = x weight^T, dx = dy weight, dweight = dy^T x; weight is (out, in).
inline std::array<LinearProduct, 3> linear_products(const LinearLayer& layer, std::int64_t batch,
                                                    Math math) {
  const std::int64_t in = layer.in_features, out = layer.out_features;
  return {{{"linear_forward", {batch, out, in, false, true, math}},
           {"linear_backward_data", {batch, in, out, false, false, math}},
           {"linear_backward_weight", {out, in, batch, true, false, math}}}};
}

// Layers of the same size differ in name only: one of them is enough.
inline std::string shape_name(const LinearLayer& layer) {
  return std::to_string(layer.in_features) + "to" + std::to_string(layer.out_features);
}

inline Work gemm_work(const GemmShape& shape) {
  const auto M = static_cast<double>(shape.M), N = static_cast<double>(shape.N);
  const auto K = static_cast<double>(shape.K);
  return {2.0 * M * N * K, 4.0 * (M * K + K * N + M * N)};
}

}  // namespace gradflip::bench
