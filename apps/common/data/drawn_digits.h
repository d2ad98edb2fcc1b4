// Built-in data: digits drawn with pen strokes, and the same pen's other digits over coloured
// textures, so that everything runs without a download. The source is clean on black; the target is
// |texture - digit|, the construction of MNIST-M without its photographs. No two of the four sets
// share a drawing.
//
// Integer arithmetic throughout and a counter-based generator: the same bytes on every platform,
// whose sums are pinned in the test.
#pragma once

#include <cstdint>

#include "apps/common/data/texture.h"
#include "models/data/domain_data.h"

namespace gradflip {

struct DrawnDigitsOptions {
  std::int64_t train_count = 10000, test_count = 2000;  // of each domain
  std::uint64_t seed = 0;
  TextureOptions texture = {};  // how far the target is from the source
};

struct DrawnDigits {
  LabelledImages source_train, source_test;  // 28x28x1
  LabelledImages target_train, target_test;  // 28x28x3
};

// A picture depends on the seed, its set and its index: a larger set begins with the smaller one.
// Throws std::invalid_argument if a count is negative or an option is out of range.
DrawnDigits draw_digits(const DrawnDigitsOptions& options = {});

}  // namespace gradflip
