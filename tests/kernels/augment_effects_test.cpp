// What the operations do to a picture, by what they are called.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "kernels/augment.h"
#include "kernels/augment/arithmetic.h"
#include "tests/support/augment_programs.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

using Kind = AugmentKind;

constexpr std::int32_t kUnit = 65'536;

struct Seen {
  std::int64_t H = 0, W = 0, C = 0;
  std::vector<std::uint8_t> bytes;

  int at(std::int64_t y, std::int64_t x, std::int64_t c = 0) const {
    return bytes.at(static_cast<std::size_t>((y * W + x) * C + c));
  }
  double mean() const {
    double sum = 0.0;
    for (const std::uint8_t byte : bytes) sum += byte;
    return sum / static_cast<double>(bytes.size());
  }
};

Seen noise_picture(std::int64_t H, std::int64_t W, std::int64_t C) {
  return {H, W, C, random_bytes(H * W * C, 9)};
}

// Grey that grows smoothly, and not alike in the two directions.
Seen smooth_picture(std::int64_t side) {
  Seen picture{side, side, 1, {}};
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      picture.bytes.push_back(static_cast<std::uint8_t>(40 + 3 * x + y));
    }
  }
  return picture;
}

Seen augmented_by(const Seen& picture, const AugmentProgram& program, std::int64_t step = 0) {
  const AugmentShape shape{.count = 1,
                           .H = picture.H,
                           .W = picture.W,
                           .stored_channels = picture.C,
                           .channels = picture.C};
  const std::int64_t index = 0;
  Seen result = picture;
  std::vector<std::uint8_t> workspace(
      static_cast<std::size_t>(augment_workspace_bytes(Cpu{}, shape)));
  augment(Cpu{},
          {.shape = shape,
           .draws = {.seed = 5},
           .step = &step,
           .images = picture.bytes.data(),
           .indices = &index,
           .y = result.bytes.data()},
          program, workspace.data());
  return result;
}

Seen augmented_by(const Seen& picture, Kind kind, std::int32_t number) {
  return augmented_by(picture, program_of({augment_operation(kind, number, number)}));
}

TEST(AugmentEffectTest, WithRangeZeroEveryOperationIsTheIdentity) {
  const Seen picture = noise_picture(9, 14, 3);
  for (AugmentOperation operation : augment_kinds()) {
    const bool factor = operation.kind == Kind::kScale || operation.kind == Kind::kContrast ||
                        operation.kind == Kind::kBrightness;
    operation.low = operation.high = factor ? kUnit : 0;
    const bool without_range = operation.kind == Kind::kFlipHorizontal ||
                               operation.kind == Kind::kFlipVertical ||
                               operation.kind == Kind::kInvert;
    if (without_range) operation.probability = 0;
    EXPECT_EQ(augmented_by(picture, program_of({operation})).bytes, picture.bytes)
        << static_cast<int>(operation.kind);
  }
}

TEST(AugmentEffectTest, AShiftMovesByItsPixelsAndReflects) {
  const Seen picture = noise_picture(5, 4, 3);
  for (const std::int32_t k : {1, 3, -2}) {
    const Seen moved = augmented_by(picture, Kind::kShift, k);
    for (std::int64_t y = 0; y < 5; ++y) {
      for (std::int64_t x = 0; x < 4; ++x) {
        // One reflection: index -1 is 1, and index size is size - 2.
        const auto fold = [](std::int64_t at, std::int64_t size) {
          return size - 1 - std::abs(size - 1 - std::abs(at));
        };
        for (std::int64_t c = 0; c < 3; ++c) {
          EXPECT_EQ(moved.at(y, x, c), picture.at(fold(y - k, 5), fold(x - k, 4), c)) << k;
        }
      }
    }
  }
}

TEST(AugmentEffectTest, FlipsMirrorAndTwoOfThemAreTheIdentity) {
  const Seen picture = noise_picture(5, 8, 3);
  const Seen across = augmented_by(picture, Kind::kFlipHorizontal, 0);
  const Seen down = augmented_by(picture, Kind::kFlipVertical, 0);
  EXPECT_EQ(across.at(1, 2, 2), picture.at(1, 5, 2));
  EXPECT_EQ(down.at(1, 2, 2), picture.at(3, 2, 2));
  EXPECT_EQ(augmented_by(across, Kind::kFlipHorizontal, 0).bytes, picture.bytes);
  EXPECT_EQ(augmented_by(down, Kind::kFlipVertical, 0).bytes, picture.bytes);
  EXPECT_NE(across.bytes, picture.bytes);
}

TEST(AugmentEffectTest, QuarterTurnsMoveEveryPixelToItsPlace) {
  for (const std::int64_t side : {7, 8}) {
    const Seen picture = noise_picture(side, side, 3);
    const Seen quarter = augmented_by(picture, Kind::kRotate, kUnit / 4);
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        // Counterclockwise: the right edge becomes the upper one.
        EXPECT_EQ(quarter.at(y, x, 1), picture.at(x, side - 1 - y, 1));
      }
    }
    Seen turned = picture;
    for (int turn = 0; turn < 4; ++turn) turned = augmented_by(turned, Kind::kRotate, kUnit / 4);
    EXPECT_EQ(turned.bytes, picture.bytes);
    EXPECT_EQ(augmented_by(picture, Kind::kRotate, kUnit / 2).bytes,
              augmented_by(augmented_by(picture, Kind::kFlipHorizontal, 0), Kind::kFlipVertical, 0)
                  .bytes);
  }
}

// On a smooth picture interpolation is exact but for rounding, away from what is reflected.
TEST(AugmentEffectTest, GeometryReadsWhereItShould) {
  constexpr std::int64_t kSide = 31, kMiddle = 15;
  const Seen picture = smooth_picture(kSide);
  const auto expect_reads = [&](Kind kind, std::int32_t number, const auto& source) {
    const Seen moved = augmented_by(picture, kind, number);
    for (std::int64_t y = kMiddle - 6; y <= kMiddle + 6; ++y) {
      for (std::int64_t x = kMiddle - 6; x <= kMiddle + 6; ++x) {
        const auto [sx, sy] =
            source(static_cast<double>(x - kMiddle), static_cast<double>(y - kMiddle));
        EXPECT_NEAR(moved.at(y, x), 40.0 + 3.0 * (sx + kMiddle) + (sy + kMiddle), 0.52)
            << static_cast<int>(kind) << ' ' << y << ' ' << x;
      }
    }
  };
  const double angle = std::numbers::pi / 6.0;
  expect_reads(Kind::kRotate, kUnit / 12, [&](double x, double y) {
    return std::pair(std::cos(angle) * x - std::sin(angle) * y,
                     std::sin(angle) * x + std::cos(angle) * y);
  });
  expect_reads(Kind::kScale, kUnit * 3 / 2,
               [](double x, double y) { return std::pair(x / 1.5, y / 1.5); });
  expect_reads(Kind::kScale, kUnit * 3 / 4,
               [](double x, double y) { return std::pair(x / 0.75, y / 0.75); });
  expect_reads(Kind::kTranslate, kUnit / 10,
               [](double x, double y) { return std::pair(x - 0.1 * kSide, y - 0.1 * kSide); });
  const bool along_y = augmented_by(picture, Kind::kShear, kUnit / 4).at(kMiddle, kMiddle + 4) !=
                       picture.at(kMiddle, kMiddle + 4);
  expect_reads(Kind::kShear, kUnit / 4, [&](double x, double y) {
    return along_y ? std::pair(x, y + 0.25 * x) : std::pair(x + 0.25 * y, y);
  });
}

// A digit at the border must not come in a second time.
TEST(AugmentEffectTest, GeometryContinuesTheBorder) {
  const Seen picture = noise_picture(8, 8, 1);
  const Seen moved = augmented_by(picture, Kind::kTranslate, kUnit / 4);  // two pixels
  for (std::int64_t y = 0; y < 8; ++y) {
    for (std::int64_t x = 0; x < 8; ++x) {
      EXPECT_EQ(moved.at(y, x),
                picture.at(std::max<std::int64_t>(y - 2, 0), std::max<std::int64_t>(x - 2, 0)));
    }
  }
}

TEST(AugmentEffectTest, PhotometryChangesBytesAsItSays) {
  Seen ramp{16, 16, 1, {}};
  for (int value = 0; value < 256; ++value) ramp.bytes.push_back(static_cast<std::uint8_t>(value));
  const auto expect_map = [&](Kind kind, std::int32_t number, const auto& map) {
    const Seen changed = augmented_by(ramp, kind, number);
    for (int value = 0; value < 256; ++value) {
      const double want = std::clamp(static_cast<double>(map(value)), 0.0, 255.0);
      EXPECT_NEAR(changed.bytes.at(static_cast<std::size_t>(value)), want, 0.51)
          << static_cast<int>(kind) << ' ' << value;
    }
  };
  expect_map(Kind::kBrightness, kUnit / 2, [](int v) { return 0.5 * v; });
  expect_map(Kind::kBrightness, kUnit * 2, [](int v) { return 2.0 * v; });
  expect_map(Kind::kContrast, kUnit / 4, [](int v) { return 127.5 + 0.25 * (v - 127.5); });
  expect_map(Kind::kContrast, kUnit * 3, [](int v) { return 127.5 + 3.0 * (v - 127.5); });
  expect_map(Kind::kChannels, kUnit / 5, [](int v) { return 127.5 * 1.2 + 1.2 * (v - 127.5); });
  expect_map(Kind::kInvert, 0, [](int v) { return 255 - v; });
  expect_map(Kind::kSolarize, 100, [](int v) { return v >= 156 ? 255 - v : v; });
  expect_map(Kind::kSolarize, 256, [](int v) { return 255 - v; });
  expect_map(Kind::kPosterize, 4, [](int v) { return v / 16 * 16; });
  EXPECT_NEAR(augmented_by(ramp, Kind::kBrightness, kUnit / 2).mean(), 0.5 * ramp.mean(), 0.5);
  EXPECT_NEAR(augmented_by(ramp, Kind::kContrast, kUnit / 2).mean(), ramp.mean(), 0.5);
}

TEST(AugmentEffectTest, ChannelsChangeEachForItself) {
  Seen grey{4, 4, 3, std::vector<std::uint8_t>(48, 100)};
  const Seen changed =
      augmented_by(grey, program_of({augment_operation(Kind::kChannels, -kUnit / 2, kUnit / 2)}));
  EXPECT_NE(changed.at(0, 0, 0), changed.at(0, 0, 1));
  EXPECT_NE(changed.at(0, 0, 1), changed.at(0, 0, 2));
  for (std::int64_t c = 0; c < 3; ++c) EXPECT_EQ(changed.at(0, 0, c), changed.at(3, 2, c));
}

// A point becomes a binomial bell, which keeps its sum.
TEST(AugmentEffectTest, ABlurSpreadsAPoint) {
  Seen point{9, 9, 1, std::vector<std::uint8_t>(81, 0)};
  point.bytes[4 * 9 + 4] = 255;
  const Seen blurred = augmented_by(point, Kind::kBlur, 256);
  EXPECT_EQ(blurred.at(4, 4), 36);  // 255 * (6 / 16)^2
  EXPECT_EQ(blurred.at(4, 5), 24);
  EXPECT_EQ(blurred.at(2, 4), blurred.at(4, 6));
  EXPECT_EQ(blurred.at(4, 7), 0);
  EXPECT_NEAR(blurred.mean(), point.mean(), 0.1);
  const Seen flat{9, 9, 1, std::vector<std::uint8_t>(81, 77)};
  EXPECT_EQ(augmented_by(flat, Kind::kBlur, 256).bytes, flat.bytes);
}

TEST(AugmentEffectTest, ACutoutIsASquareThatMayLeaveThePicture) {
  constexpr std::int64_t kSide = 20;
  const Seen white{kSide, kSide, 3, std::vector<std::uint8_t>(3 * kSide * kSide, 255)};
  std::int64_t whole = 0, smallest = kSide * kSide;
  double area = 0.0;
  constexpr int kSteps = 2000;
  for (int step = 0; step < kSteps; ++step) {
    const Seen cut =
        augmented_by(white, program_of({augment_operation(Kind::kCutout, 8, 8)}), step);
    const auto bytes = std::count(cut.bytes.begin(), cut.bytes.end(), std::uint8_t{128});
    ASSERT_EQ(std::count(cut.bytes.begin(), cut.bytes.end(), std::uint8_t{255}) + bytes,
              std::ssize(cut.bytes));
    ASSERT_EQ(bytes % 3, 0);
    ASSERT_LE(bytes / 3, 64);
    whole += bytes / 3 == 64 ? 1 : 0;
    smallest = std::min<std::int64_t>(smallest, bytes / 3);
    area += static_cast<double>(bytes) / 3.0;
  }
  EXPECT_EQ(smallest, 4 * 4);  // a centre in the corner (0, 0)
  // Centres 4 to 16 of 20 leave the square whole: 13 of 20 for each direction.
  EXPECT_NEAR(static_cast<double>(whole) / kSteps, 0.65 * 0.65, 0.06);
  // Of 20 centres: 13 with 8 pixels, and 4, 5, 6, 7 at one end, 7, 6, 5 at the other.
  const double mean_side = (13 * 8 + 4 + 5 + 6 + 7 + 7 + 6 + 5) / 20.0;
  EXPECT_NEAR(area / kSteps, mean_side * mean_side, 1.5);
}

TEST(AugmentEffectTest, NoiseIsNearlyNormal) {
  constexpr std::int64_t kSide = 128;
  const Seen grey{kSide, kSide, 1, std::vector<std::uint8_t>(kSide * kSide, 128)};
  constexpr double kDeviation = 0.1 * 255.0;
  const Seen noisy_picture = augmented_by(grey, Kind::kNoise, kUnit / 10);
  double sum = 0.0, squares = 0.0;
  std::int64_t within = 0;
  for (const std::uint8_t byte : noisy_picture.bytes) {
    const double difference = byte - 128.0;
    sum += difference;
    squares += difference * difference;
    within += std::abs(difference) < kDeviation ? 1 : 0;
  }
  const double count = kSide * kSide;
  EXPECT_NEAR(sum / count, 0.0, 5.0 * kDeviation / std::sqrt(count));
  EXPECT_NEAR(std::sqrt(squares / count), kDeviation, 0.04 * kDeviation);
  EXPECT_NEAR(static_cast<double>(within) / count, 0.683, 0.03);
  EXPECT_NE(noisy_picture.at(0, 0), noisy_picture.at(0, 1));
}

TEST(FixedSineTest, IsWithinAnUnitAndExactAtQuarters) {
  for (std::int32_t angle = -70'000; angle <= 70'000; angle += 7) {
    const double turn = 2.0 * std::numbers::pi * angle / kUnit;
    EXPECT_LE(std::abs(fixed_sine(angle) - kUnit * std::sin(turn)), 0.75) << angle;
    EXPECT_LE(std::abs(fixed_cosine(angle) - kUnit * std::cos(turn)), 0.75) << angle;
  }
  EXPECT_EQ(fixed_sine(0), 0);
  EXPECT_EQ(fixed_sine(kUnit / 4), kUnit);
  EXPECT_EQ(fixed_sine(-kUnit / 4), -kUnit);
  EXPECT_EQ(fixed_sine(kUnit / 2), 0);
  EXPECT_EQ(fixed_cosine(kUnit / 4), 0);
  EXPECT_EQ(fixed_cosine(0), kUnit);
}

}  // namespace
}  // namespace gradflip
