#include "models/f32_range.h"

#include <fmt/format.h>

#include <limits>

#include "kernels/require.h"

namespace gradflip {

bool is_normal_in_f32(double value) {
  return value >= std::numeric_limits<float>::min() && value <= std::numeric_limits<float>::max();
}

void require_lasting(const std::string& options, const std::string& quantity, double start,
                     double end) {
  GRADFLIP_REQUIRE(
      start == 0.0 || is_normal_in_f32(end),
      fmt::format("{}: with these values the {} comes to {}, below the smallest normal "
                  "number of f32, in which training computes, 1.2e-38",
                  options, quantity, end));
}

}  // namespace gradflip
