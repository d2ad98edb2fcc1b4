#include "apps/common/data/fit_to.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "kernels/require.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr std::int64_t kFrame = 2;  // pixels a side around digits stored as 32x32

Images of_size(const Images& like, std::int64_t size) {
  Images images = {like.count, size, size, like.channels, {}};
  images.pixels.resize(static_cast<std::size_t>(images.count * images.bytes_per_image()));
  return images;
}

Images crop_frame(const Images& images, std::int64_t size) {
  Images cropped = of_size(images, size);
  auto to = cropped.pixels.begin();
  for (std::int64_t n = 0; n < images.count; ++n) {
    for (std::int64_t h = 0; h < size; ++h) {
      const std::int64_t row = (n * images.height + kFrame + h) * images.width + kFrame;
      to = std::copy_n(images.pixels.begin() + row * images.channels, size * images.channels, to);
    }
  }
  return cropped;
}

// Where an output position lies between two input ones: (low * low_weight + high * high_weight) /
// (2 * output size). Exact, since half-pixel centres are multiples of 1 / (2 * output size).
struct Tap {
  std::int64_t low, high, low_weight, high_weight;
};

std::vector<Tap> taps(std::int64_t from, std::int64_t to) {
  std::vector<Tap> result;
  const std::int64_t unit = 2 * to;
  for (std::int64_t i = 0; i < to; ++i) {
    // Shifted by one input pixel, so that the division rounds down also before the first centre.
    const std::int64_t position = (2 * i + 1) * from - to + unit;
    const std::int64_t low = position / unit - 1, high_weight = position % unit;
    result.push_back({std::max<std::int64_t>(low, 0), std::min(low + 1, from - 1),
                      unit - high_weight, high_weight});
  }
  return result;
}

Images enlarge(const Images& images, std::int64_t size) {
  Images enlarged = of_size(images, size);
  const std::vector<Tap> rows = taps(images.height, size), columns = taps(images.width, size);
  const std::int64_t unit = 4 * size * size;
  auto to = enlarged.pixels.begin();
  for (std::int64_t n = 0; n < images.count; ++n) {
    const auto from = images.pixels.begin() + n * images.bytes_per_image();
    for (const Tap& row : rows) {
      for (const Tap& column : columns) {
        for (std::int64_t c = 0; c < images.channels; ++c) {
          const auto at = [&](std::int64_t h, std::int64_t w) {
            return std::int64_t{from[(h * images.width + w) * images.channels + c]};
          };
          const std::int64_t above = at(row.low, column.low) * column.low_weight +
                                     at(row.low, column.high) * column.high_weight;
          const std::int64_t below = at(row.high, column.low) * column.low_weight +
                                     at(row.high, column.high) * column.high_weight;
          const std::int64_t sum = above * row.low_weight + below * row.high_weight;
          *to++ = static_cast<std::uint8_t>((sum + unit / 2) / unit);
        }
      }
    }
  }
  return enlarged;
}

}  // namespace

Fit fit_of(std::int64_t height, std::int64_t width, std::int64_t size) {
  if (height == size && width == size) return Fit::kUnchanged;
  if (height == size + 2 * kFrame && width == size + 2 * kFrame) return Fit::kCropped;
  return height <= size && width <= size ? Fit::kEnlarged : Fit::kRefused;
}

Images fit_to(Images images, std::int64_t size, const std::string& what) {
  GRADFLIP_REQUIRE(size > 0, message("fit_to: the size is ", size));
  require_valid(images, what);
  switch (fit_of(images.height, images.width, size)) {
    case Fit::kUnchanged:
      return images;
    case Fit::kCropped:
      return crop_frame(images, size);
    case Fit::kEnlarged:
      return enlarge(images, size);
    case Fit::kRefused:
      break;
  }
  throw DataError(
      fmt::format("{}: pictures are {}x{}, and the network takes {}x{}; scale them to it", what,
                  images.height, images.width, size, size));
}

}  // namespace gradflip
