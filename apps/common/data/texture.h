// Coloured textures: several scales of noise around a mean colour, at times two of them with a
// straight edge between, as photographs have at the rim of an object.
#pragma once

#include <cstdint>
#include <vector>

#include "apps/common/data/drawing_random.h"

namespace gradflip {

// Each picture draws its own values from these ranges. Levels and amplitudes are in bytes.
struct TextureOptions {
  std::int64_t min_level = 0, max_level = 95;  // mean brightness
  std::int64_t max_tint = 20;                  // a channel's mean differs from it by up to this
  std::int64_t min_contrast = 40, max_contrast = 140;  // amplitude of the noise
  std::int64_t min_cell = 10, max_cell = 28;  // pixels between values of the coarsest noise
  std::int64_t edges_in_16 = 0;               // of 16 pictures have an edge
};

// size x size x 3 bytes. Throws std::invalid_argument for a range that is empty or out of bounds.
std::vector<std::uint8_t> draw_texture(std::int64_t size, const TextureOptions& options,
                                       DrawingRandom& random);

}  // namespace gradflip
