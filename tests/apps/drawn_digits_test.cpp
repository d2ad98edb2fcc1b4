#include "apps/common/data/drawn_digits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "apps/common/data/digit_folder.h"

namespace gradflip {
namespace {

constexpr DrawnDigitsOptions kSmall{.train_count = 400, .test_count = 100};

TEST(DrawnDigitsTest, AreTheSameBytesOnEveryPlatform) {
  const DrawnDigits digits = draw_digits();
  EXPECT_EQ(content_sha256(digits.source_train),
            "f27c04b3de0dc73d55203536bb732b1ac37bac6ed80c7fca0a4859d217b23a90");
  EXPECT_EQ(content_sha256(digits.source_test),
            "12a3f0b2fe1f2d1cc76702459be7241299e527bb8ec938e0c0410147a6043ca2");
  EXPECT_EQ(content_sha256(digits.target_train),
            "05e09aff4564f3885828e516b5fbfe459f13511d031fd6e48633cc88bba18cd7");
  EXPECT_EQ(content_sha256(digits.target_test),
            "602803aa1a5b2caac8ae8764ba75569b4eb0d7cbad60d0417593181179f591f4");
}

TEST(DrawnDigitsTest, HaveTheirSizesAndEveryClass) {
  const DrawnDigits digits = draw_digits(kSmall);
  for (const LabelledImages* set : {&digits.source_train, &digits.target_train}) {
    require_valid(*set, "drawn digits");
    EXPECT_EQ(set->images.count, 400);
    EXPECT_EQ(set->images.height, 28);
    EXPECT_EQ(set->images.width, 28);
    std::array<int, 10> count{};
    for (const std::int32_t label : set->labels) ++count[label];
    EXPECT_GT(*std::min_element(count.begin(), count.end()), 15);
  }
  EXPECT_EQ(digits.source_train.images.channels, 1);
  EXPECT_EQ(digits.target_train.images.channels, 3);
  EXPECT_EQ(digits.target_test.images.count, 100);
}

TEST(DrawnDigitsTest, NoTwoSetsShareADrawing) {
  const DrawnDigits digits = draw_digits(kSmall);
  std::set<std::vector<std::uint8_t>> drawings;
  for (const LabelledImages* set : {&digits.source_train, &digits.source_test}) {
    for (auto begin = set->images.pixels.begin(); begin != set->images.pixels.end();
         begin += 28 * 28) {
      EXPECT_TRUE(drawings.insert({begin, begin + 28 * 28}).second);
    }
  }
  EXPECT_NE(digits.source_train.labels, digits.target_train.labels);
}

TEST(DrawnDigitsTest, ALargerSetBeginsWithTheSmallerAndSeedsDiffer) {
  const DrawnDigits small = draw_digits({.train_count = 10, .test_count = 1});
  const DrawnDigits large = draw_digits({.train_count = 20, .test_count = 1});
  const std::vector<std::uint8_t>& few = small.target_train.images.pixels;
  EXPECT_TRUE(std::equal(few.begin(), few.end(), large.target_train.images.pixels.begin()));
  EXPECT_NE(draw_digits({.train_count = 10, .test_count = 1, .seed = 1}).target_train.images.pixels,
            few);
}

TEST(DrawnDigitsTest, TheSourceIsInkOnBlack) {
  const DrawnDigits digits = draw_digits(kSmall);
  const std::vector<std::uint8_t>& pixels = digits.source_train.images.pixels;
  const auto black = std::count(pixels.begin(), pixels.end(), 0);
  EXPECT_GT(black, static_cast<std::ptrdiff_t>(pixels.size() / 2));
  EXPECT_GE(*std::max_element(pixels.begin(), pixels.end()), 200);
}

TEST(DrawnDigitsTest, RefusesOptionsThatMakeNoSense) {
  EXPECT_THROW(draw_digits({.train_count = -1}), std::invalid_argument);
  EXPECT_THROW(draw_digits({.train_count = 1, .texture = {.min_level = 9, .max_level = 3}}),
               std::invalid_argument);
  EXPECT_THROW(draw_digits({.train_count = 1, .texture = {.min_cell = 0}}), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
