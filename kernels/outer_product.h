// Outer product of two vectors per row, as conditional adversaries look at predictions and features
// together (Long et al., NeurIPS 2018: CDAN), and the way back.
//
//   y[n, i*B + j] = a[n,i] * b[n,j]
// a: (N, A), b: (N, B), y: (N, A*B), dense f32. Sums are in f32, in an order that depends on the
// shape only. N may be 0. No output may alias an input.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

struct OuterProductShape {
  std::int64_t N = 0, A = 0, B = 0;
};

// Throws std::invalid_argument unless N >= 0, A > 0 and B > 0.
void require_valid(const OuterProductShape& shape);

// Overwrites y.
void outer_product_forward(Cpu ctx, const OuterProductShape& shape, const float* a, const float* b,
                           float* y);
void outer_product_forward(Cuda ctx, const OuterProductShape& shape, const float* a, const float* b,
                           float* y);

// da[n,i] = sum over j of dy[n, i*B + j] * b[n,j]. Overwrites da.
void outer_product_backward_a(Cpu ctx, const OuterProductShape& shape, const float* dy,
                              const float* b, float* da);
void outer_product_backward_a(Cuda ctx, const OuterProductShape& shape, const float* dy,
                              const float* b, float* da);

// db[n,j] = sum over i of dy[n, i*B + j] * a[n,i]. Overwrites db.
void outer_product_backward_b(Cpu ctx, const OuterProductShape& shape, const float* dy,
                              const float* a, float* db);
void outer_product_backward_b(Cuda ctx, const OuterProductShape& shape, const float* dy,
                              const float* a, float* db);

}  // namespace gradflip
