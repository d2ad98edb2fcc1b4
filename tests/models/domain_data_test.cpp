#include "models/data/domain_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace gradflip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Images pictures(std::int64_t count, std::int64_t height, std::int64_t width,
                std::int64_t channels) {
  return {count, height, width, channels,
          std::vector<std::uint8_t>(static_cast<std::size_t>(count * height * width * channels))};
}

TEST(DomainData, UnlabelledImagesHaveThePicturesAndNothingElse) {
  LabelledImages data = {pictures(2, 3, 5, 1), {4, 9}};
  data.images.pixels[7] = 200;
  const UnlabelledImages stripped = data.without_labels();
  EXPECT_EQ(stripped.images.pixels, data.images.pixels);
  EXPECT_EQ(stripped.images.count, 2);
  static_assert(sizeof(UnlabelledImages) == sizeof(Images));
  static_assert(!std::is_convertible_v<UnlabelledImages, LabelledImages>);
}

TEST(DomainData, ValidPicturesAreAccepted) {
  EXPECT_NO_THROW(require_valid(pictures(0, 28, 28, 1), "none"));
  EXPECT_NO_THROW(require_valid(pictures(3, 5, 7, 3), "colour"));
  EXPECT_NO_THROW(require_valid(pictures(2, 17, 9, 5), "five bands"));
  EXPECT_NO_THROW(require_valid(LabelledImages{pictures(2, 1, 1, 1), {0, 9}}, "digits"));
}

TEST(DomainData, InvalidPicturesAreNamed) {
  const auto broken = [](const std::function<void(Images&)>& damage) {
    Images images = pictures(2, 3, 5, 3);
    damage(images);
    return [images] { require_valid(images, "the source"); };
  };
  const auto invalid = [](const char* part) {
    return ThrowsMessage<std::invalid_argument>(
        testing::AllOf(HasSubstr("the source"), HasSubstr(part)));
  };
  EXPECT_THAT(broken([](Images& i) { i.count = -1; }), invalid("is -1"));
  EXPECT_THAT(broken([](Images& i) { i.height = 0; }), invalid("0x5"));
  EXPECT_THAT(broken([](Images& i) { i.width = -5; }), invalid("3x-5"));
  EXPECT_THAT(broken([](Images& i) { i.channels = 0; }), invalid("0 channels"));
  EXPECT_THAT(broken([](Images& i) { i.channels = 2; }), invalid("do not fill 90 bytes"));
  EXPECT_THAT(broken([](Images& i) { i.pixels.pop_back(); }), invalid("89 bytes"));
  EXPECT_THAT(broken([](Images& i) { i.pixels.push_back(0); }), invalid("91 bytes"));
  // 2^32 * 2^32 would wrap to 0, which an empty vector fits.
  EXPECT_THAT(broken([](Images& i) {
                i = {std::int64_t{1} << 32, std::int64_t{1} << 32, 1, 1, {}};
              }),
              invalid("do not fill 0 bytes"));
}

TEST(DomainData, InvalidLabelsAreNamed) {
  const auto valid = [](std::vector<std::int32_t> labels, std::int64_t num_classes) {
    return [labels = std::move(labels), num_classes] {
      require_valid(LabelledImages{pictures(2, 1, 1, 1), labels, num_classes}, "the target");
    };
  };
  EXPECT_NO_THROW(valid({0, 2}, 3)());
  EXPECT_NO_THROW(valid({344, 65'535}, kMaxClasses)());
  EXPECT_THAT(valid({1}, 10),
              ThrowsMessage<std::invalid_argument>(HasSubstr("2 pictures, but 1 labels")));
  EXPECT_THAT(valid({0, 3}, 3), ThrowsMessage<std::invalid_argument>(HasSubstr(
                                    "picture 1 has the label 3, and 3 classes are 0 to 2")));
  EXPECT_THAT(valid({-1, 0}, 3),
              ThrowsMessage<std::invalid_argument>(HasSubstr("picture 0 has the label -1")));
  EXPECT_THAT(valid({0, 0}, 0), ThrowsMessage<std::invalid_argument>(HasSubstr("0 classes")));
}

TEST(DomainData, MeansAreTakenOverAllPixelsOfAllSets) {
  Images grey = pictures(1, 1, 2, 1);
  grey.pixels = {10, 20};
  Images colour = pictures(1, 1, 3, 3);
  colour.pixels = {255, 0, 1, 255, 0, 2, 255, 0, 3};
  // The grey pixels count once in each channel: (10 + 20 + 3 * 255) / 5, and so on.
  EXPECT_THAT(channel_means({&grey, &colour}, 3), ElementsAre(159.0F, 6.0F, 7.2F));
  EXPECT_THAT(channel_means({&grey}, 1), ElementsAre(15.0F));
  EXPECT_THAT(channel_means({&grey}, 3), ElementsAre(15.0F, 15.0F, 15.0F));
  Images two = pictures(1, 1, 2, 2);
  two.pixels = {1, 10, 3, 30};
  EXPECT_THAT(channel_means({&two}, 2), ElementsAre(2.0F, 20.0F));
}

TEST(DomainData, MeansAreExactForManyPixels) {
  // A running sum in float is inexact from 2^24 on, long before the last of these.
  Images grey = pictures(1, 1024, 512, 1);
  for (std::size_t i = 0; i < grey.pixels.size(); ++i) grey.pixels[i] = i % 2 == 0 ? 255 : 254;
  EXPECT_THAT(channel_means({&grey}, 1), ElementsAre(254.5F));
}

TEST(DomainData, MeansNeedPicturesThatFit) {
  const Images none = pictures(0, 28, 28, 1), colour = pictures(1, 1, 1, 3);
  EXPECT_THAT([&] { channel_means({&none}, 3); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("no picture")));
  EXPECT_THAT([&] { channel_means({}, 3); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("no picture")));
  EXPECT_THAT([&] { channel_means({&colour}, 1); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("3 channels, and the means have 1")));
  EXPECT_THAT([&] { channel_means({nullptr}, 3); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("null")));
  EXPECT_THAT([&] { channel_means({&colour}, 2); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("the means have 2")));
  EXPECT_THAT([&] { channel_means({&colour}, 0); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("0 channels")));
}

}  // namespace
}  // namespace gradflip
