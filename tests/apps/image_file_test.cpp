#include "apps/common/data/image_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/errors.h"
#include "tests/apps/bytes.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// "" if the file is accepted.
std::string error_of(const Bytes& file, const ImageLimits& limits = {}) {
  try {
    require_valid(decode_image(file, "some-file", limits), "the decoded picture");
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

const std::vector<std::uint8_t> kColours = {255, 0, 0, 0, 255, 0, 0, 0, 255,
                                            1,   2, 3, 4, 5,   6, 7, 8, 9};

TEST(ImageFile, PngPixelsAreExact) {
  const Images image = decode_image(png_file(2, 3, 3, kColours), "some-file");
  EXPECT_EQ(image.count, 1);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.width, 3);
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.pixels, kColours);
}

TEST(ImageFile, GreyIsReplicatedAndTransparencyIgnored) {
  EXPECT_THAT(decode_image(png_file(1, 2, 1, {9, 200}), "x").pixels,
              ElementsAre(9, 9, 9, 200, 200, 200));
  EXPECT_THAT(decode_image(png_file(1, 2, 2, {9, 0, 200, 255}), "x").pixels,
              ElementsAre(9, 9, 9, 200, 200, 200));
  EXPECT_THAT(decode_image(png_file(1, 2, 4, {1, 2, 3, 0, 4, 5, 6, 255}), "x").pixels,
              ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(ImageFile, JpegPixelsAreTheLevelsThatWereEncoded) {
  for (const bool brighter : {false, true}) {
    const Images image = decode_image(jpeg_file(brighter), "x");
    EXPECT_EQ(image.height, 8);
    EXPECT_EQ(image.width, 8);
    EXPECT_EQ(image.pixels.size(), 192U);
    EXPECT_THAT(image.pixels, Each(brighter ? 136 : 128));
  }
}

TEST(ImageFile, FilesCutAnywhereAreRejected) {
  const Bytes png = png_file(2, 3, 3, kColours), jpeg = jpeg_file();
  const std::size_t end_of_data = png.size() - 12;  // the rest marks the end
  for (std::size_t length = 0; length < end_of_data; ++length) {
    EXPECT_NE(error_of(first_of(png, length)), "") << length;
  }
  for (std::size_t length = 0; length < jpeg.size() - 2; ++length) {
    EXPECT_NE(error_of(first_of(jpeg, length)), "") << length;
  }
}

TEST(ImageFile, NoSingleByteCrashesTheReader) {
  for (const Bytes& file : {png_file(2, 3, 3, kColours), jpeg_file(true)}) {
    int accepted = 0, rejected = 0;
    for (std::size_t at = 0; at < file.size(); ++at) {
      for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xc4, 0xff}) {
        ++(error_of(with_byte(file, at, value)).empty() ? accepted : rejected);
      }
    }
    EXPECT_GT(accepted, 0);
    EXPECT_GT(rejected, 0);
  }
}

TEST(ImageFile, LimitsHold) {
  const Bytes png = png_file(2, 3, 3, kColours);
  ImageLimits limits;
  limits.max_file_bytes = static_cast<std::int64_t>(png.size());
  limits.max_pixels = 6;
  EXPECT_EQ(error_of(png, limits), "");
  limits.max_pixels = 5;
  EXPECT_THAT(error_of(png, limits), HasSubstr("2x3 pixels, and at most 5"));
  limits = {};
  limits.max_file_bytes = static_cast<std::int64_t>(png.size()) - 1;
  EXPECT_THAT(error_of(png, limits), HasSubstr("make it smaller"));
  limits = {};
  limits.max_memory_bytes = 16;
  EXPECT_THAT(error_of(png, limits), HasSubstr("more memory than is allowed"));
  EXPECT_THAT(error_of(jpeg_file(), limits), HasSubstr("more memory than is allowed"));
}

TEST(ImageFile, FilesAreRead) {
  const TemporaryFolder folder;
  write(folder / "a.png", png_file(2, 3, 3, kColours));
  EXPECT_EQ(read_image(folder / "a.png").pixels, kColours);
  EXPECT_THAT([&] { read_image(folder / "b.png"); },
              ThrowsMessage<DataError>(HasSubstr("b.png: no such file")));
  EXPECT_THROW(read_image(folder.path()), IoError);
  std::filesystem::create_symlink("nowhere", folder / "dangling");
  EXPECT_THAT([&] { read_image(folder / "dangling"); },
              ThrowsMessage<DataError>(HasSubstr("dangling: a link to a file that is not there")));
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_THAT([&] { read_image(folder / "loop"); }, ThrowsMessage<IoError>(HasSubstr("loop")));
  ImageLimits limits;
  limits.max_file_bytes = 10;
  EXPECT_THAT([&] { read_image(folder / "a.png", limits); },
              ThrowsMessage<DataError>(HasSubstr("more than 10 bytes")));
}

}  // namespace
}  // namespace gradflip
