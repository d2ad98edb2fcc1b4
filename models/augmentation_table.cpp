#include "models/augmentation_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string>

namespace gradflip {

const std::vector<AugmentationName>& augmentation_names() {
  using Kind = AugmentKind;
  using Means = RangeMeans;
  constexpr double kOne = 65'536.0, kSide = kMaxAugmentedSide;
  static const std::vector<AugmentationName> kNames = {
      {"shift", Kind::kShift, Means::kBothWays, -kSide, kSide, 1.0, true, false, "pixels from 0 up",
       "3"},
      {.name = "flip", .kind = Kind::kFlipHorizontal},
      {.name = "vflip", .kind = Kind::kFlipVertical},
      {.name = "invert", .kind = Kind::kInvert},
      {"rotate", Kind::kRotate, Means::kBothWays, -180.0, 180.0, kOne / 360.0, false, false,
       "degrees from 0 to 180", "30"},
      {"shear", Kind::kShear, Means::kBothWays, -1.0, 1.0, kOne, false, false,
       "a range from 0 to 1", "0.3"},
      {"translate", Kind::kTranslate, Means::kBothWays, -1.0, 1.0, kOne, false, false,
       "a share from 0 to 1", "0.3"},
      {"scale", Kind::kScale, Means::kFactor, 1.0 / 16.0, 16.0, kOne, false, false,
       "a range from 0 to 0.9375 about 1", "0.25"},
      {"contrast", Kind::kContrast, Means::kFactor, 0.0, 16.0, kOne, false, false,
       "a range from 0 to 1 about 1", "0.9"},
      {"brightness", Kind::kBrightness, Means::kFactor, 0.0, 16.0, kOne, false, false,
       "a range from 0 to 1 about 1", "0.5"},
      {"channels", Kind::kChannels, Means::kBothWays, -1.0, 1.0, kOne, false, false,
       "a range from 0 to 1", "0.5"},
      {"solarize", Kind::kSolarize, Means::kFromZero, 0.0, 1.0, 256.0, false, true,
       "a share from 0 to 1", "1"},
      {"posterize", Kind::kPosterize, Means::kFromZero, 0.0, 7.0, 1.0, true, false,
       "bits from 0 to 7", "4"},
      {"blur", Kind::kBlur, Means::kFromZero, 0.0, 1.0, 256.0, false, false,
       "a deviation from 0 to 1 pixel", "1"},
      {"cutout", Kind::kCutout, Means::kExactly, 0.0, kSide, 1.0, true, false,
       "a side from 0 pixels up", "14"},
      {"noise", Kind::kNoise, Means::kFromZero, 0.0, 1.0, kOne, false, false,
       "a deviation from 0 to 1", "0.1"},
  };
  return kNames;
}

const AugmentationName& name_of(AugmentKind kind) {
  for (const AugmentationName& name : augmentation_names()) {
    if (name.kind == kind) return name;
  }
  throw std::logic_error("augmentation: an operation has no name");
}

const AugmentationName& augmentation_called(std::string_view name, std::string_view item) {
  std::vector<std::string_view> known;
  for (const AugmentationName& each : augmentation_names()) {
    if (each.name == name) return each;
    known.push_back(each.name);
  }
  std::vector<std::string_view> sets;
  for (const auto& [set, text] : augmentation_sets()) sets.push_back(set);
  throw std::invalid_argument(
      fmt::format("\"{}\": there is no operation \"{}\"; choose of {}, or a set: {}", item, name,
                  fmt::join(known, ", "), fmt::join(sets, ", ")));
}

std::pair<double, double> interval_of(const AugmentationStep& step) {
  if (step.is_interval) return {step.low, step.high};
  switch (name_of(step.kind).means) {
    case RangeMeans::kBothWays:
      return {-step.high, step.high};
    case RangeMeans::kFactor:
      return {1.0 - step.high, 1.0 + step.high};
    case RangeMeans::kFromZero:
      return {0.0, step.high};
    case RangeMeans::kExactly:
      return {step.high, step.high};
    case RangeMeans::kNothing:
      break;
  }
  return {0.0, 0.0};
}

}  // namespace gradflip
