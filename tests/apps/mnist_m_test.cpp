#include "apps/common/data/mnist_m.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "apps/common/data/digit_folder.h"
#include "apps/common/data/image_file.h"
#include "apps/common/data/image_folder.h"
#include "runtime/errors.h"
#include "tests/apps/bytes.h"
#include "tests/apps/real_data.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

// A picture whose patches all differ.
Images photograph(std::int64_t height, std::int64_t width, int salt) {
  Images image = {1, height, width, 3, {}};
  for (std::int64_t i = 0; i < height * width * 3; ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>((i * i * 31 + i * 17 + salt * 71) % 256));
  }
  return image;
}

// Photographs in memory, and as files that the builder reads.
class PhotographFiles {
 public:
  PhotographFiles(std::vector<Images> train, std::vector<Images> test)
      : train_(std::move(train)), test_(std::move(test)) {
    paths_.train = written("train", train_);
    paths_.test = written("test", test_);
  }

  const std::vector<Images>& train() const { return train_; }
  const std::vector<Images>& test() const { return test_; }
  const Photographs& paths() const { return paths_; }

 private:
  std::vector<std::filesystem::path> written(const std::string& part,
                                             const std::vector<Images>& images) const {
    std::vector<std::filesystem::path> paths;
    for (std::size_t k = 0; k < images.size(); ++k) {
      paths.push_back(folder_ / (part + std::to_string(k) + ".png"));
      write(paths.back(),
            png_file(static_cast<std::uint32_t>(images[k].height),
                     static_cast<std::uint32_t>(images[k].width), 3, images[k].pixels));
    }
    return paths;
  }

  TemporaryFolder folder_;
  std::vector<Images> train_, test_;
  Photographs paths_;
};

PhotographFiles some_photographs() {
  return {{photograph(5, 7, 1), photograph(8, 4, 2)}, {photograph(6, 6, 3)}};
}

LabelledImages some_digits(std::int64_t count) {
  LabelledImages digits;
  digits.images = {count, 4, 4, 1, {}};
  for (std::int64_t n = 0; n < count; ++n) {
    digits.labels.push_back(static_cast<std::int32_t>(n % 10));
    for (std::int64_t i = 0; i < 16; ++i) {
      // No ink in one corner, the faintest in another, full ink in a third.
      digits.images.pixels.push_back(static_cast<std::uint8_t>(i == 0   ? 0
                                                               : i == 3 ? 1
                                                               : i == 12
                                                                   ? 255
                                                                   : (n * 29 + i * 53) % 256));
    }
  }
  return digits;
}

using Place = std::tuple<std::size_t, std::int64_t, std::int64_t>;  // photograph, top, left

// Every patch that makes picture n of `built` out of digit n.
std::vector<Place> places(const Images& built, const Images& digits,
                          const std::vector<Images>& photographs, Blend blend, std::int64_t n) {
  std::vector<Place> found;
  for (std::size_t k = 0; k < photographs.size(); ++k) {
    const Images& photo = photographs[k];
    for (std::int64_t top = 0; top + 4 <= photo.height; ++top) {
      for (std::int64_t left = 0; left + 4 <= photo.width; ++left) {
        bool same = true;
        for (std::int64_t i = 0; i < 48; ++i) {
          const std::int64_t h = i / 12, w = i / 3 % 4, c = i % 3;
          const int level =
              photo.pixels[static_cast<std::size_t>(((top + h) * photo.width + left + w) * 3 + c)];
          const int ink = digits.pixels[static_cast<std::size_t>(n * 16 + i / 3)];
          const int want = blend == Blend::kDifference ? std::abs(level - ink)
                           : ink != 0                  ? 255 - level
                                                       : level;
          same = same && built.pixels[static_cast<std::size_t>(n * 48 + i)] == want;
        }
        if (same) found.emplace_back(k, top, left);
      }
    }
  }
  return found;
}

TEST(MnistM, EveryPictureIsItsDigitOverSomePatch) {
  const PhotographFiles photographs = some_photographs();
  const LabelledImages train = some_digits(300), test = some_digits(40);
  for (const Blend blend : {Blend::kDifference, Blend::kInvert}) {
    const MnistM built = build_mnist_m(train, test, photographs.paths(), blend, 7);
    EXPECT_EQ(built.train.labels, train.labels);
    EXPECT_EQ(built.test.labels, test.labels);
    EXPECT_NO_THROW(require_valid(built.train, "train"));
    EXPECT_EQ(built.train.images.channels, 3);
    std::set<Place> seen;
    for (std::int64_t n = 0; n < 300; ++n) {
      const auto at = places(built.train.images, train.images, photographs.train(), blend, n);
      ASSERT_THAT(at, SizeIs(1)) << n;
      seen.insert(at.front());
    }
    EXPECT_THAT(seen, SizeIs(2 * 4 + 5 * 1));  // each place of each photograph, the rims too
    for (std::int64_t n = 0; n < 40; ++n) {
      EXPECT_THAT(places(built.test.images, test.images, photographs.test(), blend, n), SizeIs(1));
    }
  }
}

TEST(MnistM, BothBlendsUseTheSamePatches) {
  const PhotographFiles photographs = some_photographs();
  const LabelledImages digits = some_digits(50);
  const MnistM difference =
      build_mnist_m(digits, digits, photographs.paths(), Blend::kDifference, 7);
  const MnistM invert = build_mnist_m(digits, digits, photographs.paths(), Blend::kInvert, 7);
  for (std::int64_t n = 0; n < 50; ++n) {
    EXPECT_EQ(
        places(difference.train.images, digits.images, photographs.train(), Blend::kDifference, n),
        places(invert.train.images, digits.images, photographs.train(), Blend::kInvert, n));
  }
}

TEST(MnistM, BytesAreTheSameEverywhere) {
  const LabelledImages train = some_digits(300), test = some_digits(40);
  const PhotographFiles photographs = some_photographs();
  const auto sums = [&](Blend blend, std::uint64_t seed) {
    const MnistM built = build_mnist_m(train, test, photographs.paths(), blend, seed);
    return std::array{content_sha256(built.train), content_sha256(built.test)};
  };
  const auto difference = sums(Blend::kDifference, 0), invert = sums(Blend::kInvert, 0);
  EXPECT_EQ(difference[0], "6b89cf3659bfdbbc25fa4f90970d6a64936479f42f767d75c8f6c4def7609a1e");
  EXPECT_EQ(difference[1], "5a76b33d108006bdbf0c586845f77c3d77744506f1417ca932f998f701a42aa8");
  EXPECT_EQ(invert[0], "481554e367e3cbbb4ee4ce1e65375abac75bfe0a84c3d1712921be7ce2c3f67b");
  EXPECT_EQ(invert[1], "db1006aa60616d5889a2509bd4939e93c4e9bebf60d55acf2e16b7108c0b0e09");
  EXPECT_NE(sums(Blend::kInvert, 1), invert);
  EXPECT_NE(sums(Blend::kInvert, std::uint64_t{1} << 32), invert);
}

TEST(MnistM, ALongerPartBeginsWithTheShorterOne) {
  const PhotographFiles photographs = some_photographs();
  const LabelledImages digits = some_digits(30), start = some_digits(10);
  const auto all =
      build_mnist_m(digits, digits, photographs.paths(), Blend::kInvert, 0).train.images;
  const auto few = build_mnist_m(start, start, photographs.paths(), Blend::kInvert, 0).train.images;
  EXPECT_TRUE(std::equal(few.pixels.begin(), few.pixels.end(), all.pixels.begin()));
}

// One pass over photographs that both parts share makes what two passes make.
TEST(MnistM, PartsThatSharePhotographsAreThoseOfEachAlone) {
  const PhotographFiles files = some_photographs();
  const LabelledImages train = some_digits(50), test = some_digits(20);
  const Photographs shared = {files.paths().train, files.paths().train, {}};
  const MnistM both = build_mnist_m(train, test, shared, Blend::kInvert, 7);
  EXPECT_EQ(both.train.images.pixels,
            build_mnist_m(train, test, files.paths(), Blend::kInvert, 7).train.images.pixels);
  for (std::int64_t n = 0; n < 20; ++n) {
    EXPECT_THAT(places(both.test.images, test.images, files.train(), Blend::kInvert, n), SizeIs(1));
  }
}

TEST(MnistM, CanBeEndedBeforeEveryPhotograph) {
  struct Enough {};
  const LabelledImages digits = some_digits(3);
  const PhotographFiles photographs = some_photographs();
  int calls = 0, last = 100;
  const auto build = [&] {
    calls = 0;
    build_mnist_m(digits, digits, photographs.paths(), Blend::kDifference, 0, [&] {
      if (++calls == last) throw Enough{};
    });
  };
  build();
  EXPECT_EQ(calls, 3);
  for (last = 1; last <= 3; ++last) EXPECT_THROW(build(), Enough);
}

TEST(MnistM, UnfitInputsAreRejected) {
  const LabelledImages digits = some_digits(3);
  const auto build = [&](const LabelledImages& train, const PhotographFiles& photographs) {
    return [&] { build_mnist_m(train, digits, photographs.paths(), Blend::kDifference, 0); };
  };
  LabelledImages colour = digits;
  colour.images = {1, 4, 4, 3, std::vector<std::uint8_t>(48)};
  colour.labels = {0};
  EXPECT_THAT(build(colour, some_photographs()),
              ThrowsMessage<std::invalid_argument>(HasSubstr("not grey")));
  EXPECT_THAT([&] { require_grey(colour, "a/folder"); },
              ThrowsMessage<DataError>(AllOf(HasSubstr("a/folder: "), HasSubstr("in colour"))));
  EXPECT_NO_THROW(require_grey(digits, "a/folder"));

  // Which of them, whether it is used or not: 3 digits over 41 photographs.
  std::vector<Images> many(40, photograph(5, 7, 1));
  many.push_back(photograph(3, 9, 1));
  EXPECT_THAT(build(digits, {many, {photograph(6, 6, 3)}}),
              ThrowsMessage<DataError>(AllOf(HasSubstr("train40.png: 3x9"), HasSubstr("of 4x4"))));
  EXPECT_THAT(build(digits, {{photograph(6, 6, 3)}, {photograph(9, 3, 1)}}),
              ThrowsMessage<DataError>(HasSubstr("test0.png: 9x3")));

  EXPECT_THAT(build(digits, {{photograph(6, 6, 3)}, {}}),
              ThrowsMessage<std::invalid_argument>(HasSubstr("no photograph")));
}

void write_photograph(const std::filesystem::path& path, std::uint8_t level) {
  std::filesystem::create_directories(path.parent_path());
  write(path, png_file(1, 1, 1, {level}));
}

std::vector<std::string> names(const std::vector<std::filesystem::path>& paths) {
  std::vector<std::string> result;
  result.reserve(paths.size());
  for (const auto& path : paths) result.push_back(path.filename().string());
  return result;
}

TEST(MnistM, PhotographsComeFromTheFoldersOfTheParts) {
  const TemporaryFolder folder;
  write_photograph(folder / "train/a.png", 1);
  write_photograph(folder / "train/b.png", 2);
  EXPECT_THAT([&] { list_photographs(folder.path(), Blend::kDifference); },
              ThrowsMessage<DataError>(HasSubstr("test: no such folder")));
  write_photograph(folder / "test/c.png", 3);

  const Photographs difference = list_photographs(folder.path(), Blend::kDifference);
  EXPECT_THAT(difference.notes, IsEmpty());
  EXPECT_THAT(names(difference.train), ElementsAre("a.png", "b.png"));
  EXPECT_THAT(names(difference.test), ElementsAre("c.png"));

  EXPECT_THAT(names(list_photographs(folder.path(), Blend::kInvert).test),
              ElementsAre("a.png", "b.png"));
}

TEST(MnistM, AFlatFolderServesBothPartsAndSaysSo) {
  const TemporaryFolder folder;
  write_photograph(folder / "a.png", 1);
  const Photographs photographs = list_photographs(folder.path(), Blend::kDifference);
  EXPECT_THAT(names(photographs.train), ElementsAre("a.png"));
  EXPECT_THAT(names(photographs.test), ElementsAre("a.png"));
  EXPECT_THAT(photographs.notes, ElementsAre(HasSubstr("all 1 photographs serve both parts")));
}

TEST(MnistM, WhatIsSkippedIsSaidOnceForEachFolder) {
  const TemporaryFolder folder;
  write_photograph(folder / "train/a.png", 1);
  write_photograph(folder / "test/b.png", 1);
  write(folder / "train/._a.png", {});
  write(folder / "test/b.bmp", {});
  EXPECT_THAT(list_photographs(folder.path(), Blend::kDifference).notes,
              ElementsAre(HasSubstr("train: skipped 1 hidden file"),
                          HasSubstr("test: skipped 1 .bmp file")));
  EXPECT_THAT(list_photographs(folder.path(), Blend::kInvert).notes,
              ElementsAre(HasSubstr("train: skipped 1 hidden file")));
}

// The decoder of photographs is part of these sums: stb_image 2.27.
TEST(MnistM, TheRealSetIsPinned) {
  GRADFLIP_NEED_DATA();
  const LabelledImages train = read_train(real_data("mnist")), test = read_test(real_data("mnist"));
  const auto sums = [&](Blend blend) {
    const MnistM built =
        build_mnist_m(train, test, list_photographs(real_data("bsds500"), blend), blend, 0);
    return std::array{content_sha256(built.train), content_sha256(built.test)};
  };
  const auto difference = sums(Blend::kDifference), invert = sums(Blend::kInvert);
  EXPECT_EQ(difference[0], "bb2db4d333212b3239e9994d4726c6261c758b1a95f72625cb13990e1f22f6be");
  EXPECT_EQ(difference[1], "1e6dc5123235f247450f9e7419ce3dd0cee731f7c2cbeff57a250f73a2d7b30a");
  EXPECT_EQ(invert[0], "c577a680e6b44a0e716f37f1200faedc4a0debfe006d78204b4d8e3c66b047dc");
  EXPECT_EQ(invert[1], "d47016dfc294fd853972d547f9ce9927a89cf5252e341d33b11331c30efeea1b");
}

// Patches of the first published pictures, found by trying every place of every photograph.
struct PublishedPatch {
  std::size_t photograph;
  std::int64_t top, left;
};
constexpr std::array<PublishedPatch, 12> kPublished = {{{163, 23, 258},
                                                        {130, 153, 131},
                                                        {73, 43, 379},
                                                        {178, 79, 242},
                                                        {33, 99, 237},
                                                        {82, 408, 204},
                                                        {102, 121, 121},
                                                        {67, 5, 160},
                                                        {192, 230, 246},
                                                        {4, 63, 248},
                                                        {16, 189, 234},
                                                        {27, 0, 300}}};

TEST(MnistM, InvertIsWhatThePublishedFilesHold) {
  GRADFLIP_NEED_DATA();
  if (!std::filesystem::exists(real_data("mnistm"))) {
    GTEST_SKIP() << "no folder mnistm: scripts/fetch_data.sh does not fetch the published files";
  }
  const Images digits = read_train(real_data("mnist")).images;
  const Images published = read_train_unlabelled(real_data("mnistm")).images;
  const auto photographs = list_images(real_data("bsds500") / "train").paths;
  for (std::size_t n = 0; n < kPublished.size(); ++n) {
    SCOPED_TRACE(n);
    const Images photo = read_image(photographs.at(kPublished[n].photograph));
    for (std::size_t i = 0; i < 784; ++i) {
      const auto h = static_cast<std::size_t>(kPublished[n].top) + i / 28;
      const auto w = static_cast<std::size_t>(kPublished[n].left) + i % 28;
      for (std::size_t c = 0; c < 3; ++c) {
        const int level = photo.pixels[(h * static_cast<std::size_t>(photo.width) + w) * 3 + c];
        const int want = digits.pixels[n * 784 + i] > 0 ? 255 - level : level;
        // Another decoder read the photographs.
        ASSERT_NEAR(published.pixels[(n * 784 + i) * 3 + c], want, 3) << i;
      }
    }
  }
}

}  // namespace
}  // namespace gradflip
