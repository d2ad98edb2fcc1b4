// Whether this processor multiplies pairs of bf16 numbers. Compiled only where the compiler knows
// such products; who has none of them does not ask.
#pragma once

namespace gradflip {

// AVX-512's, with an operating system that keeps the registers: what files made for
// kernels/cpu/bf16_avx512.h need before anything in them runs.
bool has_avx512_bf16_products();

}  // namespace gradflip
