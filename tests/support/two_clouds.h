// Points of two classes that lie apart, left and right, for tests of adaptation.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/random.h"

namespace gradflip {

// (count, 2): around -1 and 1 in turns, made `size` times as large, then moved to the right.
inline std::vector<float> two_clouds(std::uint64_t count, std::uint64_t seed, float moved = 0.0F,
                                     float size = 1.0F) {
  std::vector<float> points;
  for (std::uint64_t i = 0; i < count; ++i) {
    const float side = i % 2 == 0 ? -1.0F : 1.0F;
    points.push_back(size * (side + normal(seed, 0, i, 0.3F)) + moved);
    points.push_back(size * normal(seed, 1, i, 0.3F));
  }
  return points;
}

// Their classes: 0, 1, 0, ...
inline std::vector<std::int32_t> cloud_classes(std::uint64_t count) {
  std::vector<std::int32_t> classes;
  for (std::uint64_t i = 0; i < count; ++i) classes.push_back(i % 2 == 0 ? 0 : 1);
  return classes;
}

}  // namespace gradflip
