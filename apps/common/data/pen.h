// Draws the strokes of a glyph with a round pen, anti-aliased, in integer arithmetic.
#pragma once

#include <cstdint>
#include <vector>

#include "apps/common/data/drawing_random.h"
#include "apps/common/data/glyphs.h"

namespace gradflip {

inline constexpr std::int64_t kDrawnSize = 28;  // pixels a side

// One way of writing: everything that two drawings of one glyph differ in is drawn from `random`
// (size, slant, rotation, place, pen, ink, and every point of the strokes). Returns kDrawnSize x
// kDrawnSize bytes, ink on 0.
std::vector<std::uint8_t> draw_glyph(const Glyph& glyph, DrawingRandom& random);

}  // namespace gradflip
