// The operations of an augmentation by the names that people write: what each takes, and how that
// becomes a kernel's whole numbers.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "models/augmentation.h"

namespace gradflip {

// What name=range draws from.
enum class RangeMeans { kNothing, kBothWays, kFactor, kFromZero, kExactly };

struct AugmentationName {
  std::string_view name;
  AugmentKind kind = AugmentKind::kShift;
  RangeMeans means = RangeMeans::kNothing;
  double least = 0.0, most = 0.0;  // of what is drawn
  double unit = 1.0;               // of the kernel's numbers in 1
  bool is_whole = false;
  bool has_default = false;    // without a range: all that there is
  std::string_view takes{};    // "a range of 0 to 180 degrees"
  std::string_view example{};  // of a range

  bool has_range() const { return means != RangeMeans::kNothing; }
};

// In the order of the documentation.
const std::vector<AugmentationName>& augmentation_names();

const AugmentationName& name_of(AugmentKind kind);

// Throws std::invalid_argument that lists them; `item` is where the name stood.
const AugmentationName& augmentation_called(std::string_view name, std::string_view item);

// What a step draws from, in its own units.
std::pair<double, double> interval_of(const AugmentationStep& step);

}  // namespace gradflip
