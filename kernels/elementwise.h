// Elementwise operations on dense f32 arrays of `size` elements; size may be 0; y may be any of the
// inputs.
//
// What IEEE 754 says of an operation holds: log(0) is -inf; log and sqrt of a negative number are
// NaN, but sqrt(-0) is -0; x / 0 is an infinity, 0 / 0 NaN; what overflows is an infinity, and a
// NaN stays one. The others have limits at the infinities: sigmoid 0 and 1, tanh -1 and 1, softplus
// 0 and an infinity. sign(0) is 0, with its own sign.
//
// exp and log are within two units in the last place of the exact value, so that backends differ by
// four at most; sigmoid, tanh and softplus within four; the others are correctly rounded, the same
// bits on all backends.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/write.h"

namespace gradflip {

enum class Unary { kExp, kLog, kSqrt, kSquare, kSigmoid, kTanh, kSoftplus, kAbs, kSign };
enum class Binary { kAdd, kSubtract, kMultiply, kDivide };

// y = value
void fill(Cpu ctx, std::int64_t size, float value, float* y);
void fill(Cuda ctx, std::int64_t size, float value, float* y);

// y = factor * x
void scale(Cpu ctx, std::int64_t size, Scale factor, const float* x, float* y);
void scale(Cuda ctx, std::int64_t size, Scale factor, const float* x, float* y);

// y = function(x): exp(x); the natural logarithm; the square root; x * x; 1 / (1 + exp(-x)); tanh(x);
// log(1 + exp(x)); |x|; -1, 0 or 1
void unary(Cpu ctx, std::int64_t size, Unary function, const float* x, float* y);
void unary(Cuda ctx, std::int64_t size, Unary function, const float* x, float* y);

// y = function(a, b): a + b, a - b, a * b, a / b
void binary(Cpu ctx, std::int64_t size, Binary function, const float* a, const float* b, float* y);
void binary(Cuda ctx, std::int64_t size, Binary function, const float* a, const float* b, float* y);

}  // namespace gradflip
