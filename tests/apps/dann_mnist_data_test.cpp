// What the program makes of the data it is given: labels that are not there, pictures that are
// there twice, sets that are too small or odd.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/dann_mnist/data_notes.h"
#include "tests/apps/small_digits.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Document = nlohmann::json;

class DataTest : public SmallDigitsTest {
 protected:
  static void remove(const std::filesystem::path& folder, const Words& names) {
    for (const std::string& name : names)
      ASSERT_TRUE(std::filesystem::remove(folder / name)) << name;
  }

  static Document report_of(const ProgramResult& result) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return Document::parse(result.out);
  }

  static std::string notes_of(const Document& report) { return report["notes"].dump(); }

  // A folder of pictures of size x size, whose labels are 0, 1, ..., classes - 1 in turns.
  std::filesystem::path folder_of(const std::string& name, std::int64_t count, std::int64_t height,
                                  std::int64_t width, int classes, bool alike = false) const {
    LabelledImages data;
    data.images = {count, height, width, 1, {}};
    for (std::int64_t i = 0; i < count * height * width; ++i) {
      data.images.pixels.push_back(alike ? std::uint8_t{7}
                                         : static_cast<std::uint8_t>(i * i % 251));
      if (i % (height * width) == 0) {
        data.labels.push_back(static_cast<std::int32_t>(i / (height * width) % classes));
      }
    }
    LabelledImages test = data;
    std::reverse(test.images.pixels.begin(), test.images.pixels.end());
    write_digit_folder(own_ / name, data, test);
    return own_ / name;
  }
};

const Words kTestPart = {"t10k-images-idx4-ubyte", "t10k-labels-idx1-ubyte"};

TEST_F(DataTest, ATargetWithoutAnyLabelWorks) {
  const auto folder = copy_of(target());
  remove(folder, {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"});
  const Words words = on_target(folder, {"--steps", "2", "--json"});
  const ProgramResult all = dann_mnist(words);
  const Document json = report_of(all);
  ASSERT_EQ(json["runs"].size(), 2U);
  EXPECT_EQ(json["runs"][1]["mode"], "dann");
  EXPECT_TRUE(json["runs"][1]["source_test_accuracy"].is_number());
  EXPECT_THAT(all.out, Not(HasSubstr("target_test_accuracy")));
  EXPECT_EQ(json["data"]["target"]["test_images"], 0);
  EXPECT_THAT(notes_of(json), HasSubstr("target-only is left out"));
  EXPECT_THAT(notes_of(json), HasSubstr("no accuracy on the target"));
  EXPECT_THAT(all.err, HasSubstr("note: " + folder.string() + " has no labels"));

  remove(folder, {"t10k-images-idx4-ubyte"});
  const ProgramResult table = dann_mnist(on_target(folder, {"--mode", "dann", "--steps", "2"}));
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("   -"));

  const ProgramResult bound = dann_mnist(on_target(folder, {"--mode", "target-only"}));
  EXPECT_EQ(bound.exit_code, 3);
  EXPECT_THAT(bound.err, HasSubstr("train-labels"));
}

TEST_F(DataTest, TrainingLabelsAreMissedBeforeTheFirstStep) {
  const auto folder = copy_of(target());
  remove(folder, {"train-labels-idx1-ubyte"});
  const Document json = report_of(dann_mnist(on_target(folder, {"--steps", "2", "--json"})));
  EXPECT_EQ(json["runs"].size(), 2U);
  EXPECT_TRUE(json["runs"][1]["target_test_accuracy"].is_number()) << "the test part has labels";
  EXPECT_THAT(notes_of(json), HasSubstr("target-only is left out"));
}

TEST_F(DataTest, WhatCannotTrainIsRefusedBeforeTheFirstStep) {
  const auto spoilt = copy_of(target());
  const auto small = folder_of("small", 40, 28, 28, 10);
  const auto half = copy_of(source());
  remove(half, {"t10k-images-idx3-ubyte"});
  std::filesystem::resize_file(spoilt / "train-labels-idx1-ubyte", 50);
  const auto with_batches = [&](const char* source_batch, const char* target_batch) {
    return Words{"--source",       source().string(), "--target",       small.string(),
                 "--source-batch", source_batch,      "--target-batch", target_batch};
  };
  struct Case {
    Words words;
    const char* says;
  };
  const std::vector<Case> cases = {
      {on_target(spoilt, {}), "only target-only learns from these labels"},
      {with_batches("64", "32"), "small: 40 training pictures are fewer than the batch of 64"},
      {with_batches("16", "41"), "batch of 41 that dann"},
      {with_batches("97", "1"), "smaller --batch or --source-batch"},
      {on_target(half, {"--mode", "dann"}), "t10k-images"},
      {on_folders({"--target-test", half.string(), "--mode", "dann"}), "t10k-images"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(::testing::PrintToString(each.words));
    const ProgramResult result = dann_mnist(each.words);
    EXPECT_EQ(result.exit_code, 3) << result.err;
    EXPECT_THAT(result.err, HasSubstr(each.says));
    EXPECT_THAT(result.err, Not(HasSubstr("epoch 1"))) << "it trained first";
  }
  // What is wrong with the pictures is wrong for every mode: none of them is a remedy.
  const ProgramResult large = dann_mnist(on_target(folder_of("large", 40, 64, 64, 10), {}));
  EXPECT_EQ(large.exit_code, 3);
  EXPECT_THAT(large.err, HasSubstr("large: pictures are 64x64"));
  EXPECT_THAT(large.err, Not(HasSubstr("--mode")));
  EXPECT_EQ(dann_mnist(on_target(spoilt, {"--mode", "dann", "--steps", "1"})).exit_code, 0)
      << "training labels are not opened for a DANN";
}

// The same pictures by whatever name: the folder itself, a link to it, a copy of its files.
TEST_F(DataTest, ScoringOnTrainingPicturesIsTransductiveByAnyRoute) {
  const auto folder = copy_of(target());
  remove(folder, kTestPart);
  std::filesystem::create_directory_symlink(folder, own_ / "link");
  std::filesystem::copy(folder, own_ / "copy");
  const Words words = on_target(folder, {"--mode", "dann", "--steps", "2"});
  for (const std::string name : {"", "target", "link", "copy"}) {
    SCOPED_TRACE(name);
    const Words more = name.empty() ? Words{} : Words{"--target-test", (own_ / name).string()};
    EXPECT_THAT(dann_mnist(joined(words, more)).out, HasSubstr("target train*"));
    const Document json = report_of(dann_mnist(joined(joined(words, more), {"--json"})));
    EXPECT_EQ(json["data"]["target"]["transductive"], true);
    EXPECT_EQ(json["data"]["target"]["test_images"], 96);
    EXPECT_THAT(notes_of(json), HasSubstr("transductive"));
    EXPECT_EQ(notes_of(json).find("has no test part") != std::string::npos, !name.empty());
  }
  const Document measured =
      report_of(dann_mnist(joined(words, {"--json", "--target-test", target().string()})));
  EXPECT_EQ(measured["data"]["target"]["transductive"], false);
  EXPECT_EQ(measured["data"]["target"]["test_images"], 40);
  EXPECT_THAT(notes_of(measured), Not(HasSubstr("transductive")));
}

// To the network there is no difference.
TEST_F(DataTest, GreyPicturesInThreeEqualChannelsAreTheSame) {
  const Images grey = {3, 1, 2, 1, {1, 2, 3, 4, 1, 2}};
  const Images colour = {3, 1, 2, 3, {1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 1, 1, 2, 2, 2, 2}};
  EXPECT_EQ(shared_pictures(grey, colour), 3);
  EXPECT_EQ(shared_pictures(colour, grey), 2);

  LabelledImages train = read_train(source());
  std::vector<std::uint8_t> pixels;
  for (const std::uint8_t level : train.images.pixels) pixels.insert(pixels.end(), 3, level);
  train.images.channels = 3;
  train.images.pixels = std::move(pixels);
  write_digit_folder(own_ / "colour", train, train);
  const Document json =
      report_of(dann_mnist(on_target(source(), {"--target-test", (own_ / "colour").string(),
                                                "--mode", "dann", "--steps", "2", "--json"})));
  EXPECT_EQ(json["data"]["target"]["transductive"], true);
}

TEST_F(DataTest, NamesOfFoldersAreShownOnOneLine) {
  const auto folder = own_ / "two\nlines\x1b[2J";
  std::filesystem::copy(target(), folder);
  remove(folder, {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"});
  const ProgramResult result = dann_mnist(on_target(folder, {"--steps", "2"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const std::string& text : {result.out, result.err}) {
    EXPECT_THAT(text, HasSubstr("two\\x0alines\\x1b[2J"));
    EXPECT_THAT(text, Not(HasSubstr("two\nlines")));
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
  }
}

TEST_F(DataTest, SaysWhatIsOddAboutThePictures) {
  struct Case {
    std::filesystem::path folder;
    const char* says;
  };
  const std::vector<Case> cases = {
      {folder_of("cropped", 40, 32, 32, 10), "cropped to 28x28"},
      {folder_of("enlarged", 40, 16, 16, 10), "enlarged to 28x28"},
      {folder_of("stretched", 40, 28, 20, 10), "stretched to 28x28"},
      {folder_of("alike", 40, 28, 28, 10, /*alike=*/true), "blank"},
      {folder_of("five", 40, 28, 28, 5), "no picture of 5 to 9"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.folder);
    const ProgramResult result =
        dann_mnist(on_target(each.folder, {"--mode", "dann", "--steps", "1", "--json"}));
    EXPECT_THAT(notes_of(report_of(result)), HasSubstr(each.says));
    EXPECT_THAT(result.err, HasSubstr("note: " + each.folder.string()));
  }
  const Document plain =
      report_of(dann_mnist(on_folders({"--mode", "dann", "--epochs", "1", "--json"})));
  for (const std::string note : plain["notes"]) EXPECT_THAT(note, HasSubstr("at chance"));
}

TEST_F(DataTest, SaysThatARunEndsAtChance) {
  const Document json =
      report_of(dann_mnist(on_folders({"--steps", "1", "--learning-rate", "1e-9", "--json"})));
  ASSERT_EQ(json["notes"].size(), 3U);
  EXPECT_THAT(json["notes"][1].get<std::string>(), HasSubstr("dann seed 1 ends at chance"));
}

}  // namespace
}  // namespace gradflip
