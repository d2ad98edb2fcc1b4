// Random numbers as pure functions of (seed, stream, index), for initialisers: the number at an
// index does not depend on which others were asked for, in which order, or on which thread.
//
// bits     word index % 4 of philox4x32 with
//            counter = {index / 4 low, index / 4 high, stream, 0x696E6974}
//            key     = {seed low, seed high}
//          the last counter word keeps these apart from the other uses of the same seed.
// uniform  the upper 24 bits times 2^-24: every multiple of 2^-24 in [0, 1) is equally likely, and
//          exact in a float.
// normal   Box & Muller, "A note on the generation of random normal deviates" (1958): of the words
//          w0 and w1 at index & ~1 and index | 1, radius = sqrt(-2 ln((w0 + 1) 2^-32)) and angle =
//          2 pi w1 2^-32; the radius times cos(angle) at even indices, times sin(angle) at odd
//          ones, in double. No number is farther than 6.7 deviations from 0.
#pragma once

#include <cstdint>
#include <string_view>

namespace gradflip {

// A stream for what is called `name`: the 32-bit hash FNV-1a (Fowler, Noll, Vo) of its bytes.
std::uint32_t stream_of(std::string_view name);

std::uint32_t random_bits(std::uint64_t seed, std::uint32_t stream, std::uint64_t index);

// In [0, 1).
float uniform01(std::uint64_t seed, std::uint32_t stream, std::uint64_t index);

// low + (high - low) * uniform01(...), in float; rounding may reach high. low <= high, and both
// finite.
float uniform(std::uint64_t seed, std::uint32_t stream, std::uint64_t index, float low, float high);

// deviation times a number of the standard normal distribution. deviation >= 0 and finite.
float normal(std::uint64_t seed, std::uint32_t stream, std::uint64_t index, float deviation);

// The same, without those more than two deviations from 0: the first of the streams `stream`,
// `stream` + 0x9E3779B9, ... modulo 2^32 whose number at this index is not.
float truncated_normal(std::uint64_t seed, std::uint32_t stream, std::uint64_t index,
                       float deviation);

}  // namespace gradflip
