// The random numbers of one drawn picture: a sequence that depends on (seed, set, picture) only.
#pragma once

#include <cstdint>

#include "kernels/philox.h"

namespace gradflip {

class DrawingRandom {
 public:
  DrawingRandom(std::uint64_t seed, std::uint32_t set, std::uint32_t picture)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)},
        set_(set),
        picture_(picture) {}

  std::uint32_t bits() {
    const std::uint32_t word = position_ % 4;
    if (word == 0) block_ = philox4x32({position_ / 4, picture_, set_, kStream}, key_);
    ++position_;
    return block_[word];
  }

  // Uniform in [low, high], up to a bias of (high - low) / 2^32.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    const auto range = static_cast<std::uint64_t>(high - low + 1);
    return low + static_cast<std::int64_t>((bits() * range) >> 32U);
  }

 private:
  static constexpr std::uint32_t kStream = 0x64726177U;  // "draw"

  PhiloxKey key_;
  std::uint32_t set_, picture_;
  std::uint32_t position_ = 0;
  PhiloxCounter block_{};
};

}  // namespace gradflip
