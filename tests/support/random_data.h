// Test data that is a pure function of its arguments: the same bits with every standard library.
#pragma once

#include <cstdint>
#include <vector>

namespace gradflip {

// Uniform in [-1, 1): multiples of 2^-23.
std::vector<float> random_floats(std::int64_t size, std::uint64_t seed);

// Pairwise at least 1/size apart and at least 1/(2*size + 2) away from zero, in random order,
// within (-1, 1): no kink of a ReLU and no tie of a pool is near, as finite differences need. size
// <= 10^5.
std::vector<float> separated_floats(std::int64_t size, std::uint64_t seed);

// In [0, num_classes).
std::vector<std::int32_t> random_labels(std::int64_t size, std::int64_t num_classes,
                                        std::uint64_t seed);

std::vector<std::uint8_t> random_bytes(std::int64_t size, std::uint64_t seed);

}  // namespace gradflip
