// Sixteen sums, one for each place of a run, then a tree: the compiler's vectors, whichever they
// are, add in the same order. Memory bounds it, so that no instruction set needs a version of its
// own.
#include "kernels/gradient_norm.h"

#include <array>
#include <cmath>

#include "kernels/require.h"

namespace gradflip {

std::int64_t gradient_norm_scratch_bytes(Cpu /*ctx*/, std::int64_t /*size*/) { return 0; }

void require_valid(const GradientNorm& norm) {
  GRADFLIP_REQUIRE(norm.size >= 0 && norm.max_norm > 0.0F,
                   message("gradient_norm: ", norm.size, " gradients (>= 0), at most ",
                           norm.max_norm, " (> 0)"));
}

void gradient_norm(Cpu /*ctx*/, const GradientNorm& norm) {
  require_valid(norm);
  std::array<double, kUpdateRun> sums{};
  const auto add = [&](std::int64_t i, std::size_t place) {
    const auto g = static_cast<double>(norm.gradient[i]);
    sums[place] += g * g;
  };
  for_each_stretch(norm.size, norm.kinds,
                   [&](std::int64_t begin, std::int64_t end, UpdateKind /*kind*/) {
                     std::int64_t i = begin;
                     for (; i + kUpdateRun <= end; i += kUpdateRun) {
                       for (std::size_t place = 0; place < sums.size(); ++place) {
                         add(i + static_cast<std::int64_t>(place), place);
                       }
                     }
                     for (std::size_t place = 0; i < end; ++i, ++place) add(i, place);
                   });
  for (std::size_t half = sums.size() / 2; half > 0; half /= 2) {
    for (std::size_t place = 0; place < half; ++place) sums[place] += sums[place + half];
  }
  const double root = std::sqrt(sums[0]);
  *norm.norm = static_cast<float>(root);
  *norm.factor = clip_factor(root, norm.max_norm);
}

}  // namespace gradflip
