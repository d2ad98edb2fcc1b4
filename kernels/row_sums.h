// Sums over the rows, or over the features, of x: (rows, features), dense f32; and the way back,
// one value to all that a sum would take. rows and features may be 0: a sum of nothing is 0.
// Outputs overlap no input.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/write.h"

namespace gradflip {

// y[c] (+)= scale * sum over rows of x[i,c], added in a fixed order. y: (features). Old contents
// are not scaled.
void sum_rows(Cpu ctx, std::int64_t rows, std::int64_t features, Scale scale, const float* x,
              Write write, float* y);
void sum_rows(Cuda ctx, std::int64_t rows, std::int64_t features, Scale scale, const float* x,
              Write write, float* y);

// y[i,c] = scale * x[c]. x: (features); y: (rows, features), overwritten.
void spread_rows(Cpu ctx, std::int64_t rows, std::int64_t features, Scale scale, const float* x,
                 float* y);
void spread_rows(Cuda ctx, std::int64_t rows, std::int64_t features, Scale scale, const float* x,
                 float* y);

// y[i] = sum over features of x[i,c], added in an order that depends on the number of features
// only. y: (rows), overwritten.
void sum_features(Cpu ctx, std::int64_t rows, std::int64_t features, const float* x, float* y);
void sum_features(Cuda ctx, std::int64_t rows, std::int64_t features, const float* x, float* y);

// y[i,c] = x[i]. x: (rows); y: (rows, features), overwritten.
void spread_features(Cpu ctx, std::int64_t rows, std::int64_t features, const float* x, float* y);
void spread_features(Cuda ctx, std::int64_t rows, std::int64_t features, const float* x, float* y);

}  // namespace gradflip
