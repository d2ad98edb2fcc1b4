// The shapes of the digits 0 to 9 as pen strokes, each digit in the ways people write it.
#pragma once

#include <cstdint>
#include <vector>

namespace gradflip {

struct Point {
  std::int64_t x, y;  // x to the right, y down
};

// A smooth curve through the points; corners are where one stroke ends and the next starts.
struct Stroke {
  std::vector<Point> points;
  bool closed = false;  // the last point is joined to the first
};

using Glyph = std::vector<Stroke>;

// The ways to write `digit`, in a box of -40..40 by -62..62.
const std::vector<Glyph>& glyphs_of(int digit);

}  // namespace gradflip
