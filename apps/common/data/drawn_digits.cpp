#include "apps/common/data/drawn_digits.h"

#include <cstdlib>
#include <limits>
#include <vector>

#include "apps/common/data/drawing_random.h"
#include "apps/common/data/glyphs.h"
#include "apps/common/data/pen.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

enum class Set : std::uint32_t { kSourceTrain, kSourceTest, kTargetTrain, kTargetTest };

struct DrawnDigit {
  std::uint8_t label;
  std::vector<std::uint8_t> ink;
};

DrawnDigit draw_digit(DrawingRandom& random) {
  const auto label = static_cast<std::uint8_t>(random.between(0, 9));
  const std::vector<Glyph>& glyphs = glyphs_of(label);
  const auto style = static_cast<std::size_t>(random.between(0, std::ssize(glyphs) - 1));
  return {label, draw_glyph(glyphs[style], random)};
}

LabelledImages empty_set(std::int64_t count, std::int64_t channels) {
  LabelledImages set;
  set.images = {count, kDrawnSize, kDrawnSize, channels, {}};
  set.images.pixels.reserve(static_cast<std::size_t>(count * set.images.bytes_per_image()));
  set.labels.reserve(static_cast<std::size_t>(count));
  return set;
}

LabelledImages draw_source(std::int64_t count, std::uint64_t seed, Set set) {
  LabelledImages result = empty_set(count, 1);
  for (std::int64_t n = 0; n < count; ++n) {
    DrawingRandom random(seed, static_cast<std::uint32_t>(set), static_cast<std::uint32_t>(n));
    const DrawnDigit digit = draw_digit(random);
    result.labels.push_back(digit.label);
    result.images.pixels.insert(result.images.pixels.end(), digit.ink.begin(), digit.ink.end());
  }
  return result;
}

LabelledImages draw_target(std::int64_t count, const DrawnDigitsOptions& options, Set set) {
  LabelledImages result = empty_set(count, 3);
  for (std::int64_t n = 0; n < count; ++n) {
    DrawingRandom random(options.seed, static_cast<std::uint32_t>(set),
                         static_cast<std::uint32_t>(n));
    const DrawnDigit digit = draw_digit(random);
    const std::vector<std::uint8_t> texture = draw_texture(kDrawnSize, options.texture, random);
    result.labels.push_back(digit.label);
    for (std::size_t i = 0; i < texture.size(); ++i) {
      result.images.pixels.push_back(
          static_cast<std::uint8_t>(std::abs(texture[i] - digit.ink[i / 3])));
    }
  }
  return result;
}

}  // namespace

DrawnDigits draw_digits(const DrawnDigitsOptions& options) {
  for (const std::int64_t count : {options.train_count, options.test_count}) {
    GRADFLIP_REQUIRE(count >= 0 && count <= std::numeric_limits<std::uint32_t>::max(),
                     message("draw_digits: ", count, " pictures"));
  }
  return {draw_source(options.train_count, options.seed, Set::kSourceTrain),
          draw_source(options.test_count, options.seed, Set::kSourceTest),
          draw_target(options.train_count, options, Set::kTargetTrain),
          draw_target(options.test_count, options, Set::kTargetTest)};
}

}  // namespace gradflip
