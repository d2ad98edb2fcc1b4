// Choices of generators: a pure function of the seed and of how many were made before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/philox.h"

namespace gradflip {

class RandomChoices {
 public:
  explicit RandomChoices(std::uint32_t seed) : seed_(seed), plain_(once_in(2)) {}

  // In [0, bound).
  std::uint32_t below(std::size_t bound) {
    return philox4x32({next_++, 0, 0, 0}, {seed_, 0})[0] % static_cast<std::uint32_t>(bound);
  }
  // True once in `times`.
  bool once_in(std::size_t times) { return below(times) == 0; }
  // The same, for what is out of the way: never with half of all seeds. Where everything had a
  // small chance, little would be as usual in all respects.
  bool oddly(std::size_t times) { return !plain_ && once_in(times); }

  // Any array, vector or initialiser list that is not empty.
  template <typename Values>
  auto one_of(const Values& values) {
    return *(values.begin() + below(values.size()));
  }
  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + below(values.size()));
  }

 private:
  std::uint32_t seed_, next_ = 0;
  bool plain_;
};

}  // namespace gradflip
