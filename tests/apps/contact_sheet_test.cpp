// Pictures on a sheet, and the sheet as a file.
#include "apps/common/report/contact_sheet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "apps/common/data/png_file.h"
#include "apps/common/data/stb_decoder.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

constexpr std::uint8_t kRed = 201;

SheetSection red_section(const std::string& title, std::int64_t pictures, std::int64_t columns) {
  SheetSection section{title, columns, {pictures, 28, 20, 3, {}}};
  for (std::int64_t pixel = 0; pixel < pictures * 28 * 20; ++pixel) {
    section.pictures.pixels.insert(section.pictures.pixels.end(), {kRed, 0, 0});
  }
  return section;
}

// Pixels of the pictures' own colour, which neither paper nor letters have.
std::int64_t red_pixels(const Images& sheet) {
  std::int64_t count = 0;
  for (std::size_t at = 0; at < sheet.pixels.size(); at += 3) {
    count += sheet.pixels[at] == kRed && sheet.pixels[at + 1] == 0 ? 1 : 0;
  }
  return count;
}

TEST(ContactSheetTest, ShowsEveryPictureWhole) {
  std::vector<SheetSection> sections;
  for (int section = 0; section < 5; ++section) {
    sections.push_back(red_section("section number " + std::to_string(section), 6, 3));
    const SheetSize size = sheet_size(sections);
    const Images sheet = contact_sheet(sections);
    EXPECT_EQ(sheet.height, size.height);
    EXPECT_EQ(sheet.width, size.width);
    EXPECT_EQ(std::ssize(sheet.pixels), sheet.bytes_per_image());
    EXPECT_EQ(red_pixels(sheet), std::ssize(sections) * 6 * (2 * 28) * (2 * 20));
  }
}

TEST(ContactSheetTest, WritesItsTitles) {
  const auto lit = [](const std::string& title) {
    const Images sheet = contact_sheet(std::vector{red_section(title, 2, 2)});
    return std::count(sheet.pixels.begin(), sheet.pixels.end(), std::uint8_t{235}) / 3;
  };
  EXPECT_EQ(lit(""), 0);
  EXPECT_GT(lit("rotate=30"), 100);
  EXPECT_NE(lit("rotate=30"), lit("rotate=31"));
}

TEST(ContactSheetTest, ALongTitleTakesSeveralLines) {
  const auto height = [](const std::string& title) {
    return sheet_size(std::vector{red_section(title, 2, 2)}).height;
  };
  std::string longer = "one";
  for (int word = 0; word < 30; ++word) longer += " word";
  EXPECT_GT(height(longer), height("one") + 100);
  EXPECT_EQ(sheet_size(std::vector{red_section(longer, 2, 2)}).width,
            sheet_size(std::vector{red_section("one", 2, 2)}).width);
}

TEST(ContactSheetTest, RefusesTablesWithHoles) {
  EXPECT_THROW(sheet_size(std::vector{red_section("", 5, 2)}), std::invalid_argument);
  EXPECT_THROW(sheet_size(std::vector{red_section("", 2, 0)}), std::invalid_argument);
}

TEST(PngFileTest, IsWhatADecoderReads) {
  const Images picture{1, 13, 37, 3, random_bytes(13 * 37 * 3, 4)};
  const std::vector<std::byte> file = png_of(picture);
  EXPECT_EQ(file, png_of(picture));
  const stb::PictureSize size = stb::read_size(file);
  EXPECT_EQ(size.height, 13);
  EXPECT_EQ(size.width, 37);
  EXPECT_EQ(stb::decode_rgb(file, 1 << 20), picture.pixels);
}

TEST(PngFileTest, RefusesWhatIsNoPicture) {
  EXPECT_THROW(png_of({2, 3, 3, 3, std::vector<std::uint8_t>(54)}), std::invalid_argument);
  EXPECT_THROW(png_of({1, 3, 3, 3, std::vector<std::uint8_t>(26)}), std::invalid_argument);
  EXPECT_THROW(png_of({1, 0, 3, 3, {}}), std::invalid_argument);
  EXPECT_THROW(png_of({1, 3, 3, 2, std::vector<std::uint8_t>(18)}), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
