#pragma once

#include <cstdint>

namespace gradflip::bench {

// Like fma_loop (fma_loop.h), with products of bf16 pairs: how many FLOP that were, or 0 where this
// processor or the compiler has none.
double bf16_loop(std::int64_t rounds, float* result);

}  // namespace gradflip::bench
