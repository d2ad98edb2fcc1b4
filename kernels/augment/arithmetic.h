// What the operations of kernels/augment.h compute, in integers: the same on every backend.
#pragma once

#include <cstdint>

#include "kernels/augment.h"
#include "kernels/augment/draws.h"

namespace gradflip {

// 2^16 times the sine of an angle in 2^-16 of a turn, within 0.75; exact at quarters. Five terms of
// the series about 0, in 2^-32.
constexpr std::int32_t fixed_sine(std::int32_t angle) {
  constexpr std::int64_t kTerms[] = {6'746'518'852, 2'774'394'673, 342'277'223, 20'107'981,
                                     689'090};
  const auto turn = static_cast<std::uint32_t>(angle) & 0xFFFFU;
  const auto in_quarter = static_cast<std::int64_t>(turn & 0x3FFFU);
  const std::int64_t z = (turn & 0x4000U) != 0 ? 0x4000 - in_quarter : in_quarter;  // in 2^-14
  std::int64_t sum = 0;
  for (int term = 4; term >= 0; --term) sum = kTerms[term] - ((z * z * sum) >> 28);
  const auto sine = static_cast<std::int32_t>((z * sum + (std::int64_t{1} << 29)) >> 30);
  return (turn & 0x8000U) != 0 ? -sine : sine;
}

constexpr std::int32_t fixed_cosine(std::int32_t angle) { return fixed_sine(angle + 0x4000); }

// The pixel of [0, size) that stands at `position` of an axis reflected about its ends.
constexpr std::int32_t reflected(std::int64_t position, std::int32_t size) {
  if (position >= 0 && position < size) return static_cast<std::int32_t>(position);
  if (size == 1) return 0;
  const std::int64_t period = 2 * (std::int64_t{size} - 1);
  std::int64_t folded = position % period;
  if (folded < 0) folded += period;
  return static_cast<std::int32_t>(folded < size ? folded : period - folded);
}

// The pixel of [0, size) that is nearest to `position`.
constexpr std::int32_t nearest(std::int64_t position, std::int32_t size) {
  return position < 0 ? 0 : position < size ? static_cast<std::int32_t>(position) : size - 1;
}

// Where a geometric operation reads: (x, y) of y[.] comes from the position
//   (xx * (2x - (W-1)) + xy * (2y - (H-1)) + x0) / 2^17 of the width, likewise of the height.
struct AffineMap {
  std::int64_t xx = 1 << 16, xy = 0, yx = 0, yy = 1 << 16;  // in 2^-16
  std::int64_t x0 = 0, y0 = 0;                              // in 2^-17 pixels
};

constexpr AffineMap affine_map(const DrawnAugment& drawn, std::int64_t H, std::int64_t W) {
  AffineMap map;
  map.x0 = (W - 1) * 65'536;
  map.y0 = (H - 1) * 65'536;
  if (drawn.kind == AugmentKind::kRotate) {
    map.xx = map.yy = fixed_cosine(drawn.number);
    map.yx = fixed_sine(drawn.number);
    map.xy = -map.yx;
  } else if (drawn.kind == AugmentKind::kShear) {
    (drawn.coin ? map.yx : map.xy) = drawn.number;
  } else if (drawn.kind == AugmentKind::kTranslate) {
    map.x0 -= 2 * W * drawn.number;
    map.y0 -= 2 * H * drawn.second;
  } else {  // kScale
    map.xx = map.yy = ((std::int64_t{1} << 32) + drawn.number / 2) / drawn.number;
  }
  return map;
}

// Of a map: in 1/256 pixel, rounded.
constexpr std::int64_t affine_x(const AffineMap& map, std::int64_t H, std::int64_t W,
                                std::int64_t x, std::int64_t y) {
  return (map.xx * (2 * x - (W - 1)) + map.xy * (2 * y - (H - 1)) + map.x0 + 256) >> 9;
}
constexpr std::int64_t affine_y(const AffineMap& map, std::int64_t H, std::int64_t W,
                                std::int64_t x, std::int64_t y) {
  return (map.yx * (2 * x - (W - 1)) + map.yy * (2 * y - (H - 1)) + map.y0 + 256) >> 9;
}

constexpr std::int32_t clamped_byte(std::int32_t value) {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

constexpr bool is_photometric(AugmentKind kind) {
  return kind >= AugmentKind::kContrast && kind <= AugmentKind::kPosterize;
}

// What a photometric operation makes of a byte. kChannels: with the channel's gain and offset.
constexpr std::int32_t photometric(AugmentKind kind, std::int32_t number, std::int32_t offset,
                                   std::int32_t value) {
  switch (kind) {
    case AugmentKind::kContrast:
      return clamped_byte(((2 * value - 255) * number + (255 << 16) + (1 << 16)) >> 17);
    case AugmentKind::kBrightness:
      return clamped_byte((value * number + (1 << 15)) >> 16);
    case AugmentKind::kChannels:
      return clamped_byte(
          ((2 * value - 255) * (65'536 + number) + 255 * (65'536 + offset) + (1 << 16)) >> 17);
    case AugmentKind::kInvert:
      return 255 - value;
    case AugmentKind::kSolarize:
      return value >= 256 - number ? 255 - value : value;
    case AugmentKind::kPosterize:
      return value & ~((1 << number) - 1);
    default:
      return value;
  }
}

// The five taps of a blur, in 2^-16: twice (w, 1 - 2w, w) with w = deviation^2 / 4. They add up to
// 1.
struct BlurTaps {
  std::int32_t centre = 0, near = 0, far = 0;
};
constexpr BlurTaps blur_taps(std::int32_t deviation) {
  const std::int32_t w = deviation * deviation >> 10;
  const std::int32_t middle = 256 - 2 * w;
  return {middle * middle + 2 * w * w, 2 * w * middle, w * w};
}

// Noise: four bytes have a sum of deviation 147.8, which number / 2^16 * 255 replaces.
constexpr std::int32_t noise_factor(std::int32_t number) {
  constexpr std::int64_t kFull = 113'069;  // 2^16 * 255 / sqrt((2^16 - 1) / 3)
  return static_cast<std::int32_t>(number * kFull >> 16);
}
constexpr std::int32_t noisy(std::int32_t value, std::uint32_t word, std::int32_t factor) {
  const auto sum = static_cast<std::int32_t>((word & 255U) + (word >> 8U & 255U) +
                                             (word >> 16U & 255U) + (word >> 24U));
  return clamped_byte(value + (((sum - 510) * factor + (1 << 15)) >> 16));
}

// [begin, end) of an axis that a cutout covers.
struct CutoutRange {
  std::int32_t begin = 0, end = 0;
};
constexpr CutoutRange cutout_range(std::uint32_t word, std::int32_t side, std::int32_t size) {
  const std::int32_t begin = number_of(word, 0, size - 1) - side / 2;
  const std::int32_t end = begin + side;
  return {begin < 0 ? 0 : begin, end < size ? end : size};
}

inline constexpr std::uint8_t kCutoutValue = 128;

}  // namespace gradflip
