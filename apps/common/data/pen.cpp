#include "apps/common/data/pen.h"

#include <algorithm>
#include <limits>

namespace gradflip {
namespace {

// Positions on the picture are in 1/256 pixel; points of a glyph are refined to 1/1024 of its unit.
constexpr std::int64_t kPixel = 256;
constexpr std::int64_t kCurveParts = 8;  // straight parts between two points of a stroke
constexpr std::int64_t kRefined = 2 * kCurveParts * kCurveParts * kCurveParts;
constexpr std::int64_t kOne = 1 << 12;  // 1.0 in the entries of a transform
// A glyph of 120 units is 20 pixels tall, as MNIST's digits are: 256 * 20 / 120, to a whole number.
constexpr std::int64_t kPixelsPerUnit = 43;

// The largest whole number whose square is at most `value`.
std::int64_t square_root(std::int64_t value) {
  std::int64_t root = 0;
  for (std::int64_t bit = std::int64_t{1} << 12; bit != 0; bit >>= 1) {
    if ((root + bit) * (root + bit) <= value) root += bit;
  }
  return root;
}

struct Transform {
  std::int64_t xx, xy, yx, yy;  // in 1 / kOne
  Point centre;                 // in 1 / kPixel

  Point operator()(Point refined) const {
    constexpr std::int64_t kUnit = kRefined * kOne;
    return {centre.x + kPixelsPerUnit * (xx * refined.x + xy * refined.y) / kUnit,
            centre.y + kPixelsPerUnit * (yx * refined.x + yy * refined.y) / kUnit};
  }
};

// rotation * slant * scale. The rotation comes from the half-angle's tangent t as
// cos = (1 - t^2) / (1 + t^2), sin = 2 t / (1 + t^2): exact, without a table.
Transform random_transform(DrawingRandom& random) {
  const std::int64_t t = random.between(-320, 320), unit = 1024;  // t / 1024: up to 35 degrees
  const std::int64_t cos = kOne * (unit * unit - t * t) / (unit * unit + t * t);
  const std::int64_t sin = kOne * 2 * t * unit / (unit * unit + t * t);
  const std::int64_t slant =
      random.between(-kOne * 5 / 10, kOne * 3 / 10);  // most people lean right
  const std::int64_t scale_x = random.between(kOne * 50 / 100, kOne * 125 / 100);
  const std::int64_t scale_y = random.between(kOne * 60 / 100, kOne * 115 / 100);
  constexpr std::int64_t kMiddle = kDrawnSize * kPixel / 2, kShift = 3 * kPixel;
  const Point centre = {kMiddle + random.between(-kShift, kShift),
                        kMiddle + random.between(-kShift, kShift)};
  return {cos * scale_x / kOne, (cos * slant / kOne - sin) * scale_y / kOne, sin * scale_x / kOne,
          (sin * slant / kOne + cos) * scale_y / kOne, centre};
}

// The point at part / kCurveParts between b and c of a Catmull-Rom spline through a, b, c, d; times
// kRefined, which makes it exact.
std::int64_t spline(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d,
                    std::int64_t part) {
  constexpr std::int64_t kN = kCurveParts;
  return 2 * b * kN * kN * kN + (c - a) * part * kN * kN +
         (2 * a - 5 * b + 4 * c - d) * part * part * kN +
         (3 * b - a - 3 * c + d) * part * part * part;
}

// The corners of the polygon that stands for a stroke, in pixels' units.
std::vector<Point> flatten(const Stroke& stroke, const Transform& transform,
                           DrawingRandom& random) {
  constexpr std::int64_t kJitter = 10;  // units
  std::vector<Point> points = stroke.points;
  for (Point& point : points) {
    point.x += random.between(-kJitter, kJitter);
    point.y += random.between(-kJitter, kJitter);
  }
  const std::int64_t count = std::ssize(points);
  const auto at = [&](std::int64_t i) {
    const std::int64_t inside =
        stroke.closed ? (i + count) % count : std::clamp<std::int64_t>(i, 0, count - 1);
    return points[static_cast<std::size_t>(inside)];
  };
  std::vector<Point> corners;
  const std::int64_t curves = stroke.closed ? count : count - 1;
  for (std::int64_t i = 0; i < curves; ++i) {
    const Point a = at(i - 1), b = at(i), c = at(i + 1), d = at(i + 2);
    for (std::int64_t part = 0; part < kCurveParts; ++part) {
      corners.push_back(
          transform({spline(a.x, b.x, c.x, d.x, part), spline(a.y, b.y, c.y, d.y, part)}));
    }
  }
  const Point last = at(curves);
  corners.push_back(transform({last.x * kRefined, last.y * kRefined}));
  return corners;
}

std::int64_t squared_distance(Point p, Point a, Point b) {
  const std::int64_t dx = b.x - a.x, dy = b.y - a.y, px = p.x - a.x, py = p.y - a.y;
  const std::int64_t along = px * dx + py * dy, length = dx * dx + dy * dy;
  if (along <= 0) return px * px + py * py;
  if (along >= length) return (p.x - b.x) * (p.x - b.x) + (p.y - b.y) * (p.y - b.y);
  const std::int64_t across = px * dy - py * dx;
  return across * across / length;
}

// Squared distances of pixel centres to the strokes, kept for pixels within reach only.
class DistanceMap {
 public:
  explicit DistanceMap(std::int64_t reach)
      : reach_(reach),
        squared_(static_cast<std::size_t>(kDrawnSize * kDrawnSize),
                 std::numeric_limits<std::int64_t>::max()) {}

  void add(Point a, Point b) {
    const auto [left, right] = pixels_near(std::min(a.x, b.x), std::max(a.x, b.x));
    const auto [top, bottom] = pixels_near(std::min(a.y, b.y), std::max(a.y, b.y));
    for (std::int64_t h = top; h <= bottom; ++h) {
      for (std::int64_t w = left; w <= right; ++w) {
        std::int64_t& nearest = squared_[static_cast<std::size_t>(h * kDrawnSize + w)];
        const Point centre = {w * kPixel + kPixel / 2, h * kPixel + kPixel / 2};
        nearest = std::min(nearest, squared_distance(centre, a, b));
      }
    }
  }

  const std::vector<std::int64_t>& squared() const { return squared_; }

 private:
  struct Range {
    std::int64_t first, last;
  };
  Range pixels_near(std::int64_t low, std::int64_t high) const {
    return {std::max<std::int64_t>((low - reach_) / kPixel, 0),
            std::min<std::int64_t>((high + reach_) / kPixel, kDrawnSize - 1)};
  }

  std::int64_t reach_;
  std::vector<std::int64_t> squared_;
};

}  // namespace

std::vector<std::uint8_t> draw_glyph(const Glyph& glyph, DrawingRandom& random) {
  const Transform transform = random_transform(random);
  const std::int64_t radius = random.between(kPixel * 7 / 10, kPixel * 17 / 10);
  const std::int64_t ink = random.between(200, 255);
  const std::int64_t reach = radius + kPixel / 2;  // coverage falls from 1 to 0 over one pixel

  DistanceMap distances(reach);
  for (const Stroke& stroke : glyph) {
    const std::vector<Point> corners = flatten(stroke, transform, random);
    for (std::size_t i = 0; i + 1 < corners.size(); ++i) distances.add(corners[i], corners[i + 1]);
  }

  std::vector<std::uint8_t> picture;
  picture.reserve(distances.squared().size());
  for (const std::int64_t squared : distances.squared()) {
    const std::int64_t inside =
        squared >= reach * reach
            ? 0
            : std::clamp<std::int64_t>(reach - square_root(squared), 0, kPixel);
    picture.push_back(static_cast<std::uint8_t>(inside * ink / kPixel));
  }
  return picture;
}

}  // namespace gradflip
