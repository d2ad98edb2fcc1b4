#include "apps/common/data/picture_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "apps/common/data/fit_to.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

using ::testing::Optional;

// Pictures whose pixels go on from each other: no two are the same, none is blank.
Images pictures(std::int64_t count, std::int64_t height, std::int64_t width,
                std::int64_t channels = 1) {
  Images images = {count, height, width, channels, {}};
  for (std::int64_t i = 0; i < count * images.bytes_per_image(); ++i) {
    images.pixels.push_back(static_cast<std::uint8_t>(i % 251));
  }
  return images;
}

LabelledImages labelled(std::vector<std::int32_t> labels) {
  LabelledImages data;
  data.images = pictures(static_cast<std::int64_t>(labels.size()), 2, 2);
  data.labels = std::move(labels);
  return data;
}

TEST(FitNote, SaysWhatFitToDoes) {
  EXPECT_EQ(fit_note(pictures(2, 28, 28), 28, "set"), std::nullopt);
  EXPECT_THAT(
      fit_note(pictures(2, 32, 32), 28, "set"),
      Optional(std::string("set: pictures of 32x32 are cropped to 28x28: 2 pixels a side are left "
                           "out")));
  EXPECT_THAT(fit_note(pictures(2, 16, 16, 3), 28, "set"),
              Optional(std::string("set: pictures of 16x16 are enlarged to 28x28")));
  for (const auto& [height, width, sizes] :
       {std::tuple{28, 20, "28x20"}, {20, 28, "20x28"}, {1, 2, "1x2"}}) {
    EXPECT_THAT(fit_note(pictures(2, height, width), 28, "set"),
                Optional(std::string("set: pictures of ") + sizes +
                         " are stretched to 28x28, since they are not square"));
  }
}

// Every size: something is said where the pictures change, and nothing where fit_to refuses them.
TEST(FitNote, SpeaksWhereFitToChangesPictures) {
  for (std::int64_t height = 1; height <= 8; ++height) {
    for (std::int64_t width = 1; width <= 8; ++width) {
      const Images images = pictures(1, height, width);
      bool changes = false;
      try {
        changes = fit_to(images, 4, "set").pixels != images.pixels;
      } catch (const DataError&) {
      }
      EXPECT_EQ(fit_note(images, 4, "set").has_value(), changes) << height << "x" << width;
    }
  }
}

TEST(AlikeNote, PicturesThatDifferAreNotMentioned) {
  EXPECT_EQ(alike_note(pictures(3, 2, 2), "set"), std::nullopt);
  EXPECT_EQ(alike_note(pictures(1, 2, 2), "set"), std::nullopt);
  EXPECT_EQ(alike_note(pictures(0, 2, 2), "set"), std::nullopt);
  Images almost = {3, 2, 2, 1, std::vector<std::uint8_t>(12, 7)};
  almost.pixels.back() = 8;
  EXPECT_EQ(alike_note(almost, "set"), std::nullopt);
}

TEST(AlikeNote, PicturesThatAreAllTheSameAreNoticed) {
  Images same = {3, 1, 2, 1, {5, 9, 5, 9, 5, 9}};
  EXPECT_THAT(alike_note(same, "set"), Optional(std::string("set: all 3 pictures are the same")));
}

TEST(AlikeNote, BlankPicturesAreNoticed) {
  EXPECT_THAT(alike_note({3, 2, 2, 1, std::vector<std::uint8_t>(12, 0)}, "set"),
              Optional(std::string("set: all 3 pictures are blank")));
  // Each of a colour of its own.
  EXPECT_THAT(alike_note({2, 1, 2, 3, {1, 2, 3, 1, 2, 3, 7, 8, 9, 7, 8, 9}}, "set"),
              Optional(std::string("set: all 2 pictures are blank")));
  EXPECT_EQ(alike_note({2, 1, 2, 3, {1, 2, 3, 1, 2, 3, 7, 8, 9, 7, 8, 8}}, "set"), std::nullopt);
  EXPECT_THAT(alike_note({1, 1, 2, 1, {4, 4}}, "set"),
              Optional(std::string("set: its only picture is blank")));
}

TEST(MissingClassesNote, NamesTheClassesThatNoPictureHas) {
  EXPECT_EQ(missing_classes_note(labelled({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9}), "set"), std::nullopt);
  EXPECT_THAT(missing_classes_note(labelled({4, 3, 2, 1, 0}), "set"),
              Optional(std::string("set: no picture of 5 to 9 (5 of 10 classes are there)")));
  EXPECT_THAT(missing_classes_note(labelled({1, 2, 4, 6, 7, 8}), "set"),
              Optional(std::string("set: no picture of 0, 3, 5, 9 (6 of 10 classes are there)")));
  EXPECT_THAT(missing_classes_note(labelled({7, 7}), "set"),
              Optional(std::string("set: no picture of 0 to 6, 8, 9 (1 of 10 classes are there)")));
}

}  // namespace
}  // namespace gradflip
