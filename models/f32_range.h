// What numbers of a recipe are in f32, in which training computes whatever the precision of
// products (bf16 and tf32 have f32's range).
#pragma once

#include <string>

namespace gradflip {

// Whether `value` is above 0 and, as f32, neither infinite nor subnormal.
bool is_normal_in_f32(double value);

// Throws std::invalid_argument, naming `options`, if a quantity that starts from `start` > 0 comes
// to an `end` that is 0 or subnormal in f32, or infinite, once these options have done their work.
void require_lasting(const std::string& options, const std::string& quantity, double start,
                     double end);

}  // namespace gradflip
