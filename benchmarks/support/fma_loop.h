#pragma once

#include <cstdint>

namespace gradflip::bench {

// `rounds` fused multiply-adds on each of several independent vector registers, of the widest
// instruction set that this CPU has. Returns how many FLOP that were; *result keeps the loop alive.
double fma_loop(std::int64_t rounds, float* result);

}  // namespace gradflip::bench
