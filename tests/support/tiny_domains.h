// Small labelled and unlabelled sets of random 28x28 pictures for tests of training.
#pragma once

#include <cstdint>

#include "models/domain_data.h"
#include "tests/support/random_data.h"

namespace gradflip {

// Pictures of `channels` channels whose class shows as a bright bar at a height of its own, over
// noise.
inline LabelledImages tiny_domain(std::int64_t count, std::int64_t channels, std::uint64_t seed) {
  LabelledImages data;
  data.images = {count, 28, 28, channels, random_bytes(count * 28 * 28 * channels, seed)};
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t label = (n * 7 + static_cast<std::int64_t>(seed)) % 10;
    data.labels.push_back(static_cast<std::int32_t>(label));
    for (std::int64_t h = 0; h < 28; ++h) {
      for (std::int64_t i = 0; i < 28 * channels; ++i) {
        auto& pixel =
            data.images.pixels[static_cast<std::size_t>((n * 28 + h) * 28 * channels + i)];
        pixel = static_cast<std::uint8_t>(h / 2 == label + 2 ? 255 : pixel / 4);
      }
    }
  }
  return data;
}

}  // namespace gradflip
