// What a reference returns for a sum: its value, and the sum of the terms' magnitudes, by which a
// comparison measures an error. References are plain loops in double and share no code with any
// backend; they take doubles that hold what the kernel got.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace gradflip::reference {

struct Sums {
  std::vector<double> value;
  std::vector<double> scale;

  Sums() = default;
  explicit Sums(std::int64_t size)
      : value(static_cast<std::size_t>(size)), scale(static_cast<std::size_t>(size)) {}

  void add(std::int64_t element, double term) {
    value[element] += term;
    scale[element] += std::abs(term);
  }
};

inline std::vector<double> widen(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

// What Write::kAccumulate makes of `sums` on top of old contents.
inline Sums accumulated(Sums sums, const std::vector<float>& old_contents) {
  for (std::size_t i = 0; i < sums.value.size(); ++i) {
    sums.add(static_cast<std::int64_t>(i), old_contents.at(i));
  }
  return sums;
}

}  // namespace gradflip::reference
