// The program with a target that it blends itself, from digits and photographs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/common/data/digit_folder.h"
#include "apps/common/data/drawn_digits.h"
#include "apps/common/data/mnist_m.h"
#include "apps/dann_mnist/data_sources.h"
#include "tests/apps/bytes.h"
#include "tests/apps/program.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using Document = nlohmann::json;

constexpr std::uint32_t kPhotoSize = 40;

void write_photo(const std::filesystem::path& path, std::uint8_t level) {
  std::vector<std::uint8_t> pixels;
  for (std::uint32_t i = 0; i < kPhotoSize * kPhotoSize * 3; ++i) {
    pixels.push_back(static_cast<std::uint8_t>(level + i % 97));
  }
  std::filesystem::create_directories(path.parent_path());
  write(path, png_file(kPhotoSize, kPhotoSize, 3, pixels));
}

class BlendTest : public ::testing::TestWithParam<const char*> {
 protected:
  BlendTest() {
    DrawnDigitsOptions options;
    options.train_count = 64;
    options.test_count = 20;
    digits_ = draw_digits(options);
    write_digit_folder(folder_ / "digits", digits_.source_train, digits_.source_test);
    write_photo(folder_ / "photos/train/a.png", 10);
    write_photo(folder_ / "photos/test/b.png", 150);
  }

  TemporaryFolder folder_;
  DrawnDigits digits_;
};

TEST_P(BlendTest, TheTargetIsTheDigitsBlendedWithThePhotographs) {
  const std::string name = GetParam();
  const ProgramResult result =
      run_program(GRADFLIP_DANN_MNIST, {"--source", (folder_ / "digits").string(), "--photos",
                                        (folder_ / "photos").string(), "--blend", name, "--batch",
                                        "32", "--steps", "2", "--device", "cpu", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Document report = Document::parse(result.out);
  EXPECT_EQ(report["config"]["blend"], name);
  EXPECT_EQ(report["runs"].size(), 3U);

  const Blend blend = name == "difference" ? Blend::kDifference : Blend::kInvert;
  const MnistM expected =
      build_mnist_m(digits_.source_train, digits_.source_test,
                    list_photographs(folder_ / "photos", blend), blend, /*seed=*/0);
  const Document& target = report["data"]["target"];
  EXPECT_EQ(target["sha256"], content_sha256(expected.train.images));
  EXPECT_EQ(target["test_sha256"], content_sha256(expected.test));
  EXPECT_EQ(target["channels"], 3);
  EXPECT_THAT(target["name"].get<std::string>(), HasSubstr(name));
}

// As `gradflip data mnist-m` followed by --target: blended at the digits' own size, then fitted.
TEST_P(BlendTest, IsTheSetThatFilesHold) {
  const std::string name = GetParam();
  const Blend blend = name == "difference" ? Blend::kDifference : Blend::kInvert;
  for (const std::int64_t size : {16, 28, 32}) {
    SCOPED_TRACE(size);
    const auto resized = [&](LabelledImages digits) {
      digits.images.height = digits.images.width = size;
      digits.images.pixels.resize(
          static_cast<std::size_t>(digits.images.count * digits.images.bytes_per_image()), 0);
      return digits;
    };
    const LabelledImages train = resized(digits_.source_train), test = resized(digits_.source_test);
    const auto digits = folder_ / ("digits" + std::to_string(size));
    const auto built = folder_ / ("built" + std::to_string(size));
    write_digit_folder(digits, train, test);
    const MnistM made =
        build_mnist_m(train, test, list_photographs(folder_ / "photos", blend), blend, /*seed=*/0);
    write_digit_folder(built, made.train, made.test);

    DataArguments in_memory, from_files;
    in_memory.source = from_files.source = digits;
    in_memory.photos = folder_ / "photos";
    in_memory.blend = name;
    from_files.target = built;
    const auto target_of = [](const DataArguments& arguments) {
      return load_data(arguments, /*with_target_labels=*/false, [] {}).experiment.target;
    };
    for (const char* sum : {"sha256", "test_sha256"}) {
      EXPECT_EQ(target_of(in_memory)[sum], target_of(from_files)[sum]) << sum;
    }
  }
}

// With full ink the difference of a photograph and a digit is the inverted photograph.
TEST_P(BlendTest, InkIsMadeFullAheadOfBlending) {
  DataArguments arguments;
  arguments.source = folder_ / "digits";
  arguments.photos = folder_ / "photos";
  arguments.blend = GetParam();
  const auto loaded = [&](SourceInk ink) {
    arguments.source_ink = ink;
    return load_data(arguments, /*with_target_labels=*/false, [] {}).experiment;
  };
  const ExperimentData full = loaded(SourceInk::kFull), grey = loaded(SourceInk::kAsIs);
  for (const LabelledImages* set : {&full.source_train, &full.source_test}) {
    EXPECT_THAT(set->images.pixels, ::testing::Each(::testing::AnyOf(0, 255)));
  }
  for (std::size_t i = 0; i < grey.source_train.images.pixels.size(); ++i) {
    ASSERT_EQ(full.source_train.images.pixels[i] > 0, grey.source_train.images.pixels[i] > 0) << i;
  }
  const MnistM inverted = build_mnist_m(digits_.source_train, digits_.source_test,
                                        list_photographs(folder_ / "photos", Blend::kInvert),
                                        Blend::kInvert, /*seed=*/0);
  // Of the training digits both blends take the same photographs.
  EXPECT_EQ(full.target_train.images.pixels, inverted.train.images.pixels);
}

// A signal waits for one photograph, not for all of them.
TEST_P(BlendTest, LoadingCanBeEndedBeforeEveryPhotograph) {
  const auto calls = [&] {
    DataArguments arguments;
    arguments.source = folder_ / "digits";
    arguments.photos = folder_ / "photos";
    arguments.blend = GetParam();
    int count = 0;
    load_data(arguments, /*with_target_labels=*/false, [&] { ++count; });
    return count;
  };
  const int few = calls();
  for (const char* name : {"c.png", "d.png", "e.png"})
    write_photo(folder_ / "photos/train" / name, 7);
  EXPECT_EQ(calls(), few + 3);
}

TEST_P(BlendTest, DigitsInColourAreNamedBeforeThePhotographs) {
  for (const char* part : {"train", "t10k"}) {
    SCOPED_TRACE(part);
    const auto colour = folder_ / (std::string("colour-") + part);
    std::filesystem::copy(folder_ / "digits", colour);
    std::filesystem::remove(colour / (std::string(part) + "-images-idx3-ubyte"));
    const std::uint32_t count = part == std::string("train") ? 64 : 20;
    write(colour / (std::string(part) + "-images-idx4-ubyte"),
          idx_file({count, 28, 28, 3}, std::size_t{count} * 28 * 28 * 3));
    const ProgramResult result =
        run_program(GRADFLIP_DANN_MNIST,
                    {"--source", colour.string(), "--photos", (folder_ / "missing").string(),
                     "--blend", GetParam(), "--device", "cpu"});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_THAT(result.err, HasSubstr(colour.string() + ": its digits are in colour"));
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, BlendTest, ::testing::Values("difference", "invert"));

}  // namespace
}  // namespace gradflip
