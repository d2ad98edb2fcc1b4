// How the products inside a matrix product or a convolution may be rounded. Operands and results
// are f32 in memory, and sums are f32, in every mode.
#pragma once

#include "kernels/context.h"

namespace gradflip {

enum class Math {
  kF32,     // products of f32
  kTf32,    // operands may be rounded to 10 mantissa bits (tensor cores)
  kBf16,    // operands may be rounded to 7 mantissa bits (tensor cores, AMX, AVX-512 BF16), and
            // denormal ones taken as zero
  kTf32x3,  // operands may be split into two of 10 mantissa bits, and the product of their smaller
            // parts left out: products are right to 2^-20 (tensor cores, three products for one),
            // sums with an infinity NaN
};
inline constexpr int kNumMaths = 4;
// A mode is a permission: a backend without such units computes in f32.

// Whether kernels on this backend, and this processor, make use of the permission at all.
bool computes_in(Cpu ctx, Math math);
constexpr bool computes_in(Cuda /*ctx*/, Math /*math*/) { return true; }

}  // namespace gradflip
