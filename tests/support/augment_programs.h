// Programs of kernels/augment.h for tests, in few words.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "kernels/augment.h"

namespace gradflip {

inline AugmentProgram program_of(const std::vector<AugmentOperation>& operations) {
  AugmentProgram program;
  program.size = static_cast<std::int32_t>(operations.size());
  std::copy(operations.begin(), operations.end(), program.operations.begin());
  return program;
}

inline AugmentOperation augment_operation(AugmentKind kind, std::int32_t low, std::int32_t high,
                                          std::int32_t probability = kAlwaysAugment) {
  return {.kind = kind, .probability = probability, .low = low, .high = high};
}

// `choose` of the `members` that follow.
inline AugmentOperation augment_group(std::uint8_t choose, std::uint8_t members) {
  return {.kind = AugmentKind::kSome, .choose = choose, .members = members};
}

// Every kind that draws for itself, with the widest range that makes sense of a picture.
inline std::vector<AugmentOperation> augment_kinds() {
  using Kind = AugmentKind;
  constexpr std::int32_t kOne = 65'536;
  return {augment_operation(Kind::kShift, -9, 9),
          augment_operation(Kind::kFlipHorizontal, 0, 0),
          augment_operation(Kind::kFlipVertical, 0, 0),
          augment_operation(Kind::kRotate, -kOne / 2, kOne / 2),
          augment_operation(Kind::kShear, -kOne, kOne),
          augment_operation(Kind::kTranslate, -kOne, kOne),
          augment_operation(Kind::kScale, kOne / 4, 3 * kOne),
          augment_operation(Kind::kContrast, 0, 3 * kOne),
          augment_operation(Kind::kBrightness, 0, 3 * kOne),
          augment_operation(Kind::kChannels, -kOne, kOne),
          augment_operation(Kind::kInvert, 0, 0),
          augment_operation(Kind::kSolarize, 0, 256),
          augment_operation(Kind::kPosterize, 0, 7),
          augment_operation(Kind::kBlur, 0, 256),
          augment_operation(Kind::kCutout, 0, 7),
          augment_operation(Kind::kNoise, 0, kOne)};
}

// As digits are trained with: a shift, two of twelve, a cutout.
inline AugmentProgram strong_augmentation() {
  using Kind = AugmentKind;
  constexpr std::int32_t kOne = 65'536;
  return program_of(
      {augment_operation(Kind::kShift, -3, 3), augment_group(2, 12),
       augment_operation(Kind::kContrast, kOne / 10, 19 * kOne / 10),
       augment_operation(Kind::kBrightness, kOne / 2, 3 * kOne / 2),
       augment_operation(Kind::kChannels, -kOne / 2, kOne / 2),
       augment_operation(Kind::kInvert, 0, 0), augment_operation(Kind::kSolarize, 0, 256),
       augment_operation(Kind::kPosterize, 0, 4), augment_operation(Kind::kBlur, 0, 256),
       augment_operation(Kind::kRotate, -kOne / 12, kOne / 12),
       augment_operation(Kind::kShear, -3 * kOne / 10, 3 * kOne / 10),
       augment_operation(Kind::kTranslate, -3 * kOne / 10, 3 * kOne / 10),
       augment_operation(Kind::kScale, 3 * kOne / 4, kOne),
       augment_operation(Kind::kCutout, 14, 14)});
}

}  // namespace gradflip
