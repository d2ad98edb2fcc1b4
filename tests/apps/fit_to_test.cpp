#include "apps/common/data/fit_to.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "runtime/errors.h"

namespace gradflip {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

auto names(const std::string& size, const std::string& wanted) {
  return ThrowsMessage<DataError>(AllOf(HasSubstr(size), HasSubstr(wanted)));
}

Images grey(std::int64_t height, std::int64_t width, std::vector<std::uint8_t> pixels) {
  return {1, height, width, 1, std::move(pixels)};
}

TEST(FitTo, TheSameSizeStays) {
  EXPECT_THAT(fit_to(grey(2, 2, {1, 2, 3, 4}), 2, "x").pixels, ElementsAre(1, 2, 3, 4));
}

TEST(FitTo, AFrameOfTwoPixelsIsCropped) {
  Images images = {2, 6, 6, 3, {}};
  for (int n = 0; n < 2; ++n) {
    for (int h = 0; h < 6; ++h) {
      for (int w = 0; w < 6; ++w) {
        for (int c = 0; c < 3; ++c) {
          images.pixels.push_back(static_cast<std::uint8_t>(100 * n + 10 * h + w + 60 * (c == 2)));
        }
      }
    }
  }
  const Images cropped = fit_to(images, 2, "x");
  EXPECT_EQ(cropped.height, 2);
  EXPECT_EQ(cropped.width, 2);
  EXPECT_EQ(cropped.channels, 3);
  EXPECT_THAT(cropped.pixels,
              ElementsAre(22, 22, 82, 23, 23, 83, 32, 32, 92, 33, 33, 93,  //
                          122, 122, 182, 123, 123, 183, 132, 132, 192, 133, 133, 193));
}

TEST(FitTo, SmallerPicturesAreEnlargedBilinearly) {
  // Half-pixel centres: output w lies at (w + 0.5) / 2 - 0.5 of the input: -0.25, 0.25, 0.75, 1.25.
  EXPECT_THAT(fit_to(grey(1, 2, {0, 100}), 4, "x").pixels,
              ElementsAre(0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100));
  // 2 to 3: -1/6, 1/2, 7/6.
  EXPECT_THAT(fit_to(grey(2, 2, {0, 100, 50, 250}), 3, "x").pixels,
              ElementsAre(0, 50, 100, 25, 100, 175, 50, 150, 250));
}

TEST(FitTo, EnlargingAgreesWithDoubles) {
  Images small = grey(5, 3, {});
  for (int i = 0; i < 15; ++i) small.pixels.push_back(static_cast<std::uint8_t>(i * 67 % 256));
  const Images large = fit_to(small, 7, "x");
  const auto at = [&](double h, double w) {
    const int y = static_cast<int>(std::clamp(h, 0.0, 4.0)),
              x = static_cast<int>(std::clamp(w, 0.0, 2.0));
    return static_cast<double>(
        small.pixels[static_cast<std::size_t>(y) * 3 + static_cast<std::size_t>(x)]);
  };
  for (int p = 0; p < 7; ++p) {
    for (int q = 0; q < 7; ++q) {
      const double h = std::clamp((p + 0.5) * 5 / 7 - 0.5, 0.0, 4.0);
      const double w = std::clamp((q + 0.5) * 3 / 7 - 0.5, 0.0, 2.0);
      const double y = h - std::floor(h), x = w - std::floor(w);
      const double want = (1 - y) * ((1 - x) * at(h, w) + x * at(h, w + 1)) +
                          y * ((1 - x) * at(h + 1, w) + x * at(h + 1, w + 1));
      EXPECT_NEAR(large.pixels[static_cast<std::size_t>(p * 7 + q)], want, 0.5 + 1e-9);
    }
  }
}

TEST(FitTo, OtherSizesAreErrorsThatNameBoth) {
  for (const std::int64_t size : {29, 31, 33, 64, 224}) {
    Images large = {0, size, size, 1, {}};
    EXPECT_THAT([&] { fit_to(large, 28, "the target"); },
                names("the target: pictures are " + std::to_string(size), "28x28"));
  }
  EXPECT_THAT([] { fit_to(Images{0, 32, 30, 1, {}}, 28, "the target"); }, names("32x30", "28x28"));
  EXPECT_EQ(fit_to(Images{0, 32, 32, 1, {}}, 28, "x").height, 28);
  EXPECT_EQ(fit_to(Images{0, 16, 16, 1, {}}, 28, "x").height, 28);
}

}  // namespace
}  // namespace gradflip
