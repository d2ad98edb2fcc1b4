#include "tests/support/reference/augment.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/augment/arithmetic.h"  // the sine alone, which has a test of its own
#include "kernels/philox.h"

namespace gradflip::reference {
namespace {

using Words = PhiloxCounter;

struct Row {
  PhiloxKey key{};

  Row(const AugmentDraws& draws, std::int64_t step, std::int64_t row) {
    const auto low = [](std::uint64_t wide) {
      return static_cast<std::uint32_t>(wide % (1ULL << 32U));
    };
    const auto high = [](std::uint64_t wide) { return static_cast<std::uint32_t>(wide >> 32U); };
    const Words words = philox4x32(
        {low(static_cast<std::uint64_t>(row)), low(static_cast<std::uint64_t>(step)),
         high(static_cast<std::uint64_t>(step)), 0x61750000U + 256U * draws.stream + draws.view},
        {low(draws.seed), high(draws.seed)});
    key = {words[0], words[1]};
  }

  Words block(std::int32_t place, std::uint32_t number, std::uint32_t noise = 0) const {
    return philox4x32({number, static_cast<std::uint32_t>(place), noise, 0x64726177U}, key);
  }
};

std::int64_t drawn_from(std::uint32_t word, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(static_cast<double>(word) * 0x1p-32 *
                                         static_cast<double>(high - low + 1));
}

// floor(numerator / denominator + 1/2)
std::int64_t rounded(std::int64_t numerator, std::int64_t denominator) {
  const std::int64_t twice = 2 * numerator + denominator;
  const std::int64_t quotient = twice / (2 * denominator);
  return twice % (2 * denominator) < 0 ? quotient - 1 : quotient;
}

std::uint8_t byte_of(std::int64_t value) {
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>(value, 0, 255));
}

struct Picture {
  std::int64_t H = 0, W = 0, C = 0;
  std::vector<std::uint8_t> bytes;

  static std::int64_t folded(std::int64_t at, std::int64_t size) {
    while (at < 0 || at >= size) {
      if (size == 1) return 0;
      at = at < 0 ? -at : 2 * (size - 1) - at;
    }
    return at;
  }
  std::int64_t get(std::int64_t y, std::int64_t x, std::int64_t c) const {
    return bytes.at(static_cast<std::size_t>((folded(y, H) * W + folded(x, W)) * C + c));
  }
  using Pixel = std::function<std::uint8_t(std::int64_t, std::int64_t, std::int64_t)>;
  void assign(const Pixel& pixel) {
    std::vector<std::uint8_t> next;
    for (std::int64_t y = 0; y < H; ++y) {
      for (std::int64_t x = 0; x < W; ++x) {
        for (std::int64_t c = 0; c < C; ++c) next.push_back(pixel(y, x, c));
      }
    }
    bytes = next;
  }
};

// Reads (x, y) at M (x - centre) + centre - moved, in 2^-16; the middle between two pixels has halves.
void resample(Picture& picture, const std::int64_t (&M)[4], std::int64_t right, std::int64_t down) {
  const Picture old = picture;
  picture.assign([&](std::int64_t y, std::int64_t x, std::int64_t c) {
    const std::int64_t dx = 2 * x - (old.W - 1), dy = 2 * y - (old.H - 1);
    const std::int64_t at_x =
        rounded(M[0] * dx + M[1] * dy + (old.W - 1) * 65'536 - 2 * right, 512);
    const std::int64_t at_y = rounded(M[2] * dx + M[3] * dy + (old.H - 1) * 65'536 - 2 * down, 512);
    const std::int64_t left = (at_x - (at_x % 256 + 256) % 256) / 256;
    const std::int64_t top = (at_y - (at_y % 256 + 256) % 256) / 256;
    const std::int64_t fx = at_x - 256 * left, fy = at_y - 256 * top;
    const auto inside = [&](std::int64_t row, std::int64_t column) {
      return old.get(std::clamp<std::int64_t>(row, 0, old.H - 1),
                     std::clamp<std::int64_t>(column, 0, old.W - 1), c);
    };
    const std::int64_t sum =
        inside(top, left) * (256 - fx) * (256 - fy) + inside(top, left + 1) * fx * (256 - fy) +
        inside(top + 1, left) * (256 - fx) * fy + inside(top + 1, left + 1) * fx * fy;
    return byte_of(rounded(sum, 65'536));
  });
}

void blur(Picture& picture, std::int64_t deviation, bool down) {
  const Picture old = picture;
  const std::int64_t w = deviation * deviation / 1024;
  const std::int64_t three[3] = {w, 256 - 2 * w, w};
  std::int64_t five[5] = {};
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) five[a + b] += three[a] * three[b];
  }
  picture.assign([&](std::int64_t y, std::int64_t x, std::int64_t c) {
    std::int64_t sum = 0;
    for (int k = 0; k < 5; ++k) {
      sum += five[k] * (down ? old.get(y + k - 2, x, c) : old.get(y, x + k - 2, c));
    }
    return byte_of(rounded(sum, 65'536));
  });
}

void apply(Picture& picture, const AugmentOperation& operation, std::int32_t place,
           const Row& row) {
  const Words words = row.block(place, 0);
  const std::int64_t number = drawn_from(words[1], operation.low, operation.high);
  const std::int64_t second = drawn_from(words[2], operation.low, operation.high);
  constexpr std::int64_t kOne = 65'536;
  const Picture old = picture;
  const auto each = [&](const std::function<std::int64_t(std::int64_t, std::int64_t)>& map) {
    picture.assign([&](std::int64_t y, std::int64_t x, std::int64_t c) {
      return byte_of(map(old.get(y, x, c), c));
    });
  };
  switch (operation.kind) {
    case AugmentKind::kShift:
      return picture.assign([&](std::int64_t y, std::int64_t x, std::int64_t c) {
        return byte_of(old.get(y - second, x - number, c));
      });
    case AugmentKind::kFlipHorizontal:
      return picture.assign([&](std::int64_t y, std::int64_t x, std::int64_t c) {
        return byte_of(old.get(y, old.W - 1 - x, c));
      });
    case AugmentKind::kFlipVertical:
      return picture.assign([&](std::int64_t y, std::int64_t x, std::int64_t c) {
        return byte_of(old.get(old.H - 1 - y, x, c));
      });
    case AugmentKind::kRotate: {
      const auto angle = static_cast<std::int32_t>(number);
      const std::int64_t sine = fixed_sine(angle), cosine = fixed_cosine(angle);
      return resample(picture, {cosine, -sine, sine, cosine}, 0, 0);
    }
    case AugmentKind::kShear:
      if (words[3] >= 0x80000000U) return resample(picture, {kOne, 0, number, kOne}, 0, 0);
      return resample(picture, {kOne, number, 0, kOne}, 0, 0);
    case AugmentKind::kTranslate:
      return resample(picture, {kOne, 0, 0, kOne}, number * old.W, second * old.H);
    case AugmentKind::kScale: {
      const std::int64_t inverse = rounded(kOne * kOne, number);
      return resample(picture, {inverse, 0, 0, inverse}, 0, 0);
    }
    case AugmentKind::kContrast:
      return each([&](std::int64_t v, std::int64_t) {
        return rounded(255 * kOne + number * (2 * v - 255), 2 * kOne);
      });
    case AugmentKind::kBrightness:
      return each([&](std::int64_t v, std::int64_t) { return rounded(number * v, kOne); });
    case AugmentKind::kChannels:
      return each([&](std::int64_t v, std::int64_t c) {
        const Words own = row.block(place, static_cast<std::uint32_t>(1 + c));
        const std::int64_t gain = drawn_from(own[0], operation.low, operation.high);
        const std::int64_t offset = drawn_from(own[1], operation.low, operation.high);
        return rounded(255 * (kOne + offset) + (kOne + gain) * (2 * v - 255), 2 * kOne);
      });
    case AugmentKind::kInvert:
      return each([](std::int64_t v, std::int64_t) { return 255 - v; });
    case AugmentKind::kSolarize:
      return each([&](std::int64_t v, std::int64_t) { return v < 256 - number ? v : 255 - v; });
    case AugmentKind::kPosterize:
      return each([&](std::int64_t v, std::int64_t) { return v - v % (1 << number); });
    case AugmentKind::kBlur:
      blur(picture, number, false);
      return blur(picture, number, true);
    case AugmentKind::kCutout: {
      const std::int64_t side = drawn_from(words[3], operation.low, operation.high);
      const std::int64_t left = drawn_from(words[1], 0, old.W - 1) - side / 2;
      const std::int64_t top = drawn_from(words[2], 0, old.H - 1) - side / 2;
      return picture.assign([&](std::int64_t y, std::int64_t x, std::int64_t c) {
        const bool cut = x >= left && x < left + side && y >= top && y < top + side;
        return cut ? std::uint8_t{128} : byte_of(old.get(y, x, c));
      });
    }
    case AugmentKind::kNoise:
      return picture.assign([&](std::int64_t y, std::int64_t x, std::int64_t c) {
        const std::int64_t i = (y * old.W + x) * old.C + c;
        std::uint32_t word =
            row.block(place, static_cast<std::uint32_t>(i / 4), 1)[static_cast<std::size_t>(i % 4)];
        std::int64_t sum = -510;
        for (; word > 0; word /= 256) sum += word % 256;
        return byte_of(old.get(y, x, c) + rounded(sum * (number * 113'069 / kOne), kOne));
      });
    case AugmentKind::kSome:
      break;
  }
}

std::vector<std::int32_t> places_of(const AugmentProgram& program, const Row& row) {
  const auto applies = [&](std::int32_t place) {
    return static_cast<std::int32_t>(row.block(place, 0)[0] / 65'536) <
           program.operations.at(static_cast<std::size_t>(place)).probability;
  };
  std::vector<std::int32_t> places;
  for (std::int32_t place = 0; place < program.size; ++place) {
    const AugmentOperation& operation = program.operations.at(static_cast<std::size_t>(place));
    if (operation.kind != AugmentKind::kSome) {
      if (applies(place)) places.push_back(place);
      continue;
    }
    std::vector<std::int32_t> left;
    for (std::int32_t m = 1; m <= operation.members; ++m) left.push_back(place + m);
    for (std::uint32_t j = 0; j < operation.choose && applies(place); ++j) {
      const std::uint32_t word = row.block(place, 1 + j / 4)[j % 4];
      const auto index = static_cast<std::size_t>(drawn_from(word, 0, std::ssize(left) - 1));
      if (applies(left[index])) places.push_back(left[index]);
      left[index] = left.back();
      left.pop_back();
    }
    place += operation.members;
  }
  return places;
}

}  // namespace

std::vector<std::int32_t> applied(const AugmentProgram& program, const AugmentDraws& draws,
                                  std::int64_t step, std::int64_t row) {
  return places_of(program, Row(draws, step, row));
}

std::vector<std::uint8_t> augmented(const AugmentShape& shape, const AugmentProgram& program,
                                    const AugmentDraws& draws, std::int64_t step,
                                    std::int64_t row_begin, const std::vector<std::uint8_t>& images,
                                    const std::vector<std::int64_t>& indices) {
  std::vector<std::uint8_t> y;
  for (std::int64_t i = 0; i < shape.count; ++i) {
    Picture picture{shape.H, shape.W, shape.channels, {}};
    picture.bytes.resize(static_cast<std::size_t>(shape.bytes()));
    const std::int64_t first = indices.at(static_cast<std::size_t>(i)) * shape.H * shape.W;
    picture.assign([&](std::int64_t row, std::int64_t x, std::int64_t c) {
      const std::int64_t pixel = first + row * shape.W + x;
      return images.at(static_cast<std::size_t>(
          shape.stored_channels == 1 ? pixel : pixel * shape.channels + c));
    });
    const Row row(draws, step, row_begin + i);
    for (const std::int32_t place : places_of(program, row)) {
      apply(picture, program.operations.at(static_cast<std::size_t>(place)), place, row);
    }
    y.insert(y.end(), picture.bytes.begin(), picture.bytes.end());
  }
  return y;
}

}  // namespace gradflip::reference
