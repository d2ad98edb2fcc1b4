#include "apps/common/data/digit_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/data/sha256.h"
#include "runtime/atomic_file.h"
#include "runtime/errors.h"
#include "tests/apps/bytes.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

auto data_error(const std::string& a, const std::string& b = "") {
  return ThrowsMessage<DataError>(AllOf(HasSubstr(a), HasSubstr(b)));
}

// Six grey digits of 2x3 to train on.
void write_train(const TemporaryFolder& folder) {
  write(folder / "train-images-idx3-ubyte", idx_file({6, 2, 3}, 36));
  write(folder / "train-labels-idx1-ubyte", idx_file({6}, 6));
}

TEST(DigitFolder, GreyDigitsAreRead) {
  const TemporaryFolder folder;
  write_train(folder);
  const LabelledImages data = read_train(folder.path());
  EXPECT_EQ(data.images.count, 6);
  EXPECT_EQ(data.images.height, 2);
  EXPECT_EQ(data.images.width, 3);
  EXPECT_EQ(data.images.channels, 1);
  EXPECT_EQ(data.images.pixels[35], 35);
  EXPECT_THAT(data.labels, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(data.num_classes, 10);
  EXPECT_NO_THROW(require_valid(data, "data"));
}

TEST(DigitFolder, ColourCompressedDigitsAreRead) {
  const TemporaryFolder folder;
  write(folder / "train-images-idx4-ubyte.gz", gzip(idx_file({4, 1, 2, 3}, 24)));
  write(folder / "train-labels-idx1-ubyte.gz", gzip(idx_file({4}, 4)));
  const LabelledImages data = read_train(folder.path());
  EXPECT_EQ(data.images.channels, 3);
  EXPECT_EQ(data.images.width, 2);
  EXPECT_EQ(data.images.pixels.size(), 24U);
}

TEST(DigitFolder, ReadingWithoutLabelsDoesNotOpenThem) {
  const TemporaryFolder folder;
  write(folder / "train-images-idx3-ubyte", idx_file({6, 2, 3}, 36));
  EXPECT_EQ(read_train_unlabelled(folder.path()).images.count, 6);  // there are none
  write(folder / "train-labels-idx1-ubyte", bytes_of({'n', 'o'}));
  EXPECT_EQ(read_train_unlabelled(folder.path()).images.count, 6);  // they are broken
  EXPECT_THAT([&] { read_train(folder.path()); }, data_error("train-labels-idx1-ubyte"));
}

TEST(DigitFolder, TheTestPartHasEitherName) {
  for (const std::string part : {"t10k", "test"}) {
    SCOPED_TRACE(part);
    const TemporaryFolder folder;
    write_train(folder);
    EXPECT_FALSE(has_test(folder.path()));
    EXPECT_THAT([&] { read_test(folder.path()); }, data_error("holds no t10k-images-idx3-ubyte"));
    write(folder / (part + "-images-idx3-ubyte"), idx_file({2, 2, 3}, 12));
    write(folder / (part + "-labels-idx1-ubyte"), idx_file({2}, 2));
    EXPECT_TRUE(has_test(folder.path()));
    EXPECT_EQ(read_test(folder.path()).images.count, 2);
  }
}

TEST(DigitFolder, HalfATestPartIsATestPart) {
  for (const auto& [half, missing] :
       {std::pair<std::string, std::string>{"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
        {"t10k-labels-idx1-ubyte", "t10k-images-idx3-ubyte"}}) {
    SCOPED_TRACE(half);
    const TemporaryFolder folder;
    write_train(folder);
    write(folder / half,
          half.find("images") != std::string::npos ? idx_file({2, 2, 3}, 12) : idx_file({2}, 2));
    EXPECT_TRUE(has_test(folder.path()));
    EXPECT_THAT([&] { read_test(folder.path()); }, data_error("holds no " + missing, half));
  }
}

TEST(DigitFolder, SetsWithoutLabelsAreKnownAsSuch) {
  const TemporaryFolder folder;
  EXPECT_FALSE(has_train_labels(folder.path()));
  write(folder / "train-labels-idx1-ubyte", {});  // never opened
  EXPECT_TRUE(has_train_labels(folder.path()));
  EXPECT_FALSE(has_test_labels(folder.path()));
  write(folder / "test-images-idx3-ubyte", idx_file({2, 2, 3}, 12));
  EXPECT_FALSE(has_test_labels(folder.path()));
  write(folder / "test-labels-idx1-ubyte", {});
  EXPECT_TRUE(has_test_labels(folder.path()));
}

TEST(DigitFolder, MissingThingsAreNamed) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { read_train(folder / "absent"); }, data_error("absent: no such folder"));
  EXPECT_FALSE(has_test(folder / "absent"));
  EXPECT_THAT([&] { read_train_unlabelled(folder.path()); },
              data_error("holds no train-images-idx3-ubyte[.gz]"));
  write(folder / "train-images-idx3-ubyte", idx_file({6, 2, 3}, 36));
  EXPECT_THAT([&] { read_train(folder.path()); },
              data_error("holds no train-labels-idx1-ubyte[.gz]"));
}

TEST(DigitFolder, AmbiguousFoldersAreRejected) {
  const TemporaryFolder folder;
  write_train(folder);
  write(folder / "train-labels-idx1-ubyte.gz", gzip(idx_file({6}, 6, 2)));
  EXPECT_THAT([&] { read_train(folder.path()); },
              data_error("both train-labels-idx1-ubyte and train-labels-idx1-ubyte.gz", "differ"));
  write(folder / "train-images-idx4-ubyte", idx_file({6, 2, 3, 3}, 108));
  EXPECT_THAT([&] { read_train_unlabelled(folder.path()); },
              data_error("both train-images-idx3-ubyte and train-images-idx4-ubyte"));
}

// Every file of write_train and of a test part, under names that `rename` makes of MNIST's own.
template <typename Rename>
void write_renamed(const TemporaryFolder& folder, const Rename& rename) {
  const std::vector<std::pair<std::string, Bytes>> files = {
      {"train-images-idx3-ubyte", idx_file({6, 2, 3}, 36)},
      {"train-labels-idx1-ubyte", idx_file({6}, 6)},
      {"t10k-images-idx3-ubyte", idx_file({2, 2, 3}, 12)},
      {"t10k-labels-idx1-ubyte", idx_file({2}, 2)}};
  for (const auto& [name, content] : files) {
    const std::filesystem::path path = folder / rename(name);
    std::filesystem::create_directories(path.parent_path());
    write(path, path.extension() == ".gz" ? gzip(content) : content);
  }
}

TEST(DigitFolder, FilesAreFoundUnderTheNamesThatPeopleHave) {
  const auto dotted = [](std::string name) {
    name[name.find("-idx")] = '.';
    return name;
  };
  const auto underscored = [](std::string name) {
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
  };
  const auto upper = [](std::string name) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return name;
  };
  const auto capitalised = [](std::string name) {
    name[0] = 'T';
    return name;
  };
  const std::vector<std::function<std::string(std::string)>> renames = {
      dotted,
      [&](const std::string& name) { return dotted(name) + ".gz"; },
      underscored,
      [&](const std::string& name) { return underscored(name) + ".gz"; },
      upper,
      [&](const std::string& name) { return upper(dotted(name)); },
      capitalised,
      [](const std::string& name) { return name + "/" + name; },
      [&](const std::string& name) { return name + "/" + dotted(name); },
      [](const std::string& name) { return "raw/" + name; },
      [](const std::string& name) { return "MNIST/raw/" + name + ".gz"; }};
  for (std::size_t i = 0; i < renames.size(); ++i) {
    SCOPED_TRACE(i);
    const TemporaryFolder folder;
    write_renamed(folder, renames[i]);
    EXPECT_EQ(read_train(folder.path()).images.count, 6);
    EXPECT_TRUE(has_test(folder.path()));
    EXPECT_TRUE(has_train_labels(folder.path()));
    EXPECT_EQ(read_test(folder.path()).labels.size(), 2U);
  }
}

TEST(DigitFolder, WhatIsThereTwiceMayBeTheSame) {
  const TemporaryFolder folder;  // as an archive that was unpacked in place
  write_renamed(folder, [](const std::string& name) { return name; });
  write_renamed(folder, [](const std::string& name) { return name + ".gz"; });
  write_renamed(folder, [](std::string name) {
    name[name.find("-idx")] = '.';
    return name;
  });
  EXPECT_EQ(read_train(folder.path()).images.count, 6);
}

TEST(DigitFolder, TwoSetsBelowAFolderAreNoChoice) {
  const TemporaryFolder folder;
  write_renamed(folder, [](const std::string& name) { return "MNIST/raw/" + name; });
  write_renamed(folder, [](const std::string& name) { return "KMNIST/raw/" + name; });
  EXPECT_THAT([&] { read_train(folder.path()); }, data_error("KMNIST/raw", "name one of them"));
}

TEST(DigitFolder, NamesOfFoldersAboveDoNotMatter) {
  const TemporaryFolder folder;
  write_renamed(folder, [](const std::string& name) { return "run-idx4/a.gz/" + name; });
  EXPECT_EQ(read_train(folder / "run-idx4/a.gz").images.channels, 1);
}

TEST(DigitFolder, AMissingSetSaysWhatIsThere) {
  const TemporaryFolder folder;
  write(folder / "digits.csv", {});
  std::filesystem::create_directories(folder / "photos");
  EXPECT_THAT([&] { read_train_unlabelled(folder.path()); },
              data_error("holds no train-images-idx3-ubyte[.gz], but digits.csv and photos/"));
}

struct BadPair {
  std::string images_name;
  Bytes images, labels;
  std::string message;
};

TEST(DigitFolder, FilesThatDoNotFitAreRejected) {
  const Bytes images = idx_file({6, 2, 3}, 36);
  const std::string grey = "train-images-idx3-ubyte", colour = "train-images-idx4-ubyte";
  const std::vector<BadPair> cases = {
      {grey, images, idx_file({5}, 5), "5 labels, but train-images-idx3-ubyte has 6 pictures"},
      {grey, images, idx_file({7}, 7), "7 labels"},
      {grey, images, idx_file({0}, 0), "0 labels"},
      {grey, images, with_byte(idx_file({6}, 6), 8 + 4, 10),
       "label 4 is 10, and digits are 0 to 9; they run"},
      {grey, images, with_byte(idx_file({6}, 6), 8, 255), "label 0 is 255"},
      {grey, images, idx_file({6, 1, 1}, 6), "has 3 dimensions, and labels have 1"},
      {grey, idx_file({6}, 6), idx_file({6}, 6), "has 1 dimensions, and its name says 3"},
      {grey, idx_file({6, 2, 3, 3}, 108), idx_file({6}, 6), "has 4 dimensions"},
      {colour, images, idx_file({6}, 6), "has 3 dimensions, and its name says 4"},
      {colour, idx_file({6, 2, 3, 1}, 36), idx_file({6}, 6), "has 1 channels"},
      {colour, idx_file({6, 2, 3, 4}, 144), idx_file({6}, 6), "has 4 channels"},
      {grey, idx_file({0, 28, 28}, 0), idx_file({0}, 0), "holds no pictures (0 of 28x28)"},
      {grey, idx_file({6, 0, 28}, 0), idx_file({6}, 6), "holds no pictures (6 of 0x28)"},
      {grey, idx_file({6, 28, 0}, 0), idx_file({6}, 6), "holds no pictures (6 of 28x0)"},
      {grey, idx_file({6, 2, 3}, 35), idx_file({6}, 6), "truncated"},
      {grey, images, idx_file({6}, 5), "truncated"},
  };
  for (const auto& [name, image_file, label_file, message] : cases) {
    SCOPED_TRACE(message);
    const TemporaryFolder folder;
    write(folder / name, image_file);
    write(folder / "train-labels-idx1-ubyte", label_file);
    EXPECT_THAT([&] { read_train(folder.path()); }, data_error(message, folder.path().string()));
  }
}

TEST(DigitFolder, LabelsOutOfRangeComeWithWhatMendsThem) {
  struct Case {
    std::vector<int> labels;
    std::string remedy;
  };
  const std::vector<Case> cases = {
      {{10, 1, 2, 3, 4, 9}, "label 0 is 10, and digits are 0 to 9; they run to 10, which stands"},
      {{'0', '1', '9', '3', '4', '5'}, "label 0 is 48, and digits are 0 to 9; they are characters"},
      {{0, 255, 9, 255, 4, 5}, "label 1 is 255, and digits are 0 to 9; 2 of 6 are 255"},
      {{255, 255, 255, 255, 255, 255}, "6 of 6 are 255, which stands for unknown"},
      {{1, 26, 3, 4, 5, 6}, "label 1 is 26, and digits are 0 to 9; they run from 1 to 26"},
      {{0, 10, 3, 4, 5, 6}, "label 1 is 10, and digits are 0 to 9; they run from 0 to 10"},
  };
  for (const auto& [labels, remedy] : cases) {
    SCOPED_TRACE(remedy);
    const TemporaryFolder folder;
    write_train(folder);
    Bytes file = idx_file({6}, 6);
    for (std::size_t n = 0; n < 6; ++n) file = with_byte(file, 8 + n, labels[n]);
    write(folder / "train-labels-idx1-ubyte", file);
    EXPECT_THAT([&] { read_train(folder.path()); }, data_error("train-labels", remedy));
  }
}

LabelledImages some_digits(std::int64_t count, std::int64_t channels) {
  LabelledImages data;
  data.images = {count, 2, 2, channels, {}};
  data.images.pixels.resize(static_cast<std::size_t>(count * 4 * channels));
  std::iota(data.images.pixels.begin(), data.images.pixels.end(), std::uint8_t{1});
  for (std::int64_t n = 0; n < count; ++n) data.labels.push_back(static_cast<std::int32_t>(n % 10));
  return data;
}

TEST(DigitFolder, WrittenFoldersAreReadBack) {
  const TemporaryFolder folder;
  const LabelledImages train = some_digits(12, 3), test = some_digits(5, 3);
  for (int time = 0; time < 2; ++time) {  // the second replaces the first
    write_digit_folder(folder / "a" / "b", train, test);
    EXPECT_EQ(read_train(folder / "a/b").images.pixels, train.images.pixels);
    EXPECT_EQ(read_train(folder / "a/b").labels, train.labels);
    EXPECT_EQ(read_test(folder / "a/b").images.pixels, test.images.pixels);
    EXPECT_EQ(read_test(folder / "a/b").labels, test.labels);
  }
}

TEST(DigitFolder, LabelsThatNoByteHoldsAreNotWritten) {
  const TemporaryFolder folder;
  LabelledImages many = some_digits(3, 1);
  many.num_classes = 345;
  EXPECT_THROW(write_digit_folder(folder / "a", many, many), std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(folder / "a" / "train-images-idx3-ubyte"));
  EXPECT_THROW(content_sha256(many), std::invalid_argument);
}

TEST(DigitFolder, NothingIsWrittenBesideFilesOfAnotherForm) {
  const TemporaryFolder folder;
  const LabelledImages digits = some_digits(3, 3);
  for (const std::string other : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz",
                                  "test-images-idx4-ubyte", "t10k-images-idx4-ubyte.gz"}) {
    SCOPED_TRACE(other);
    write(folder / other, {});
    EXPECT_THAT([&] { write_digit_folder(folder.path(), digits, digits); },
                data_error(other, "remove it or choose another folder"));
    std::filesystem::remove(folder / other);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
}

TEST(DigitFolder, NothingIsWrittenWhereItWouldHideASetBelow) {
  const LabelledImages digits = some_digits(3, 3);
  for (const std::vector<std::string>& sets :
       {std::vector<std::string>{"raw"}, {"MNIST/raw"}, {"MNIST/raw", "KMNIST/raw"}}) {
    SCOPED_TRACE(sets.back());
    const TemporaryFolder folder;
    for (const std::string& set : sets) {
      write_renamed(folder, [&](const std::string& name) { return set + "/" + name; });
    }
    EXPECT_THAT([&] { require_writable_digit_folder(folder.path(), 3); },
                data_error("would hide the digits in " + (folder / sets.back()).string()));
    EXPECT_THAT([&] { write_digit_folder(folder.path(), digits, digits); },
                data_error("would hide", "choose another folder"));
    EXPECT_NO_THROW(write_digit_folder(folder / "mnist_m", digits, digits));
    write_digit_folder(folder / "other", digits, digits);  // a set of its own
    EXPECT_NO_THROW(write_digit_folder(folder / "other", digits, digits));
  }
}

TEST(DigitFolder, AFolderThatCannotBeMadeIsAnIoError) {
  const TemporaryFolder folder;
  write(folder / "file", {});
  const LabelledImages digits = some_digits(3, 1);
  for (const char* name : {"file", "file/inside", "file/inside/this"}) {
    SCOPED_TRACE(name);
    EXPECT_THROW(write_digit_folder(folder / name, digits, digits), IoError);
    EXPECT_THROW(require_writable_digit_folder(folder / name, 1), IoError);
  }
  std::filesystem::create_directories(folder / "out/train-images-idx3-ubyte/full");
  EXPECT_THROW(require_writable_digit_folder(folder / "out", 1), IoError);
}

TEST(DigitFolder, AskingWhetherAFolderCanBeWrittenLeavesNothing) {
  const TemporaryFolder folder;
  for (const char* name : {"a", "a/", "a/b/c", ""}) {
    SCOPED_TRACE(name);
    require_writable_digit_folder(folder / name, 3);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
  write(folder / "train-images-idx3-ubyte", {});
  EXPECT_NO_THROW(require_writable_digit_folder(folder.path(), 1));
  EXPECT_THAT([&] { require_writable_digit_folder(folder.path(), 3); },
              data_error("train-images-idx3-ubyte", "remove it"));
}

TEST(DigitFolder, TheContentSumIsThatOfTheFiles) {
  const TemporaryFolder folder;
  for (const std::int64_t channels : {1, 3}) {
    SCOPED_TRACE(channels);
    const LabelledImages digits = some_digits(7, channels);
    const std::filesystem::path written = folder / std::to_string(channels);
    write_digit_folder(written, digits, digits);
    const std::string name = channels == 1 ? "train-images-idx3-ubyte" : "train-images-idx4-ubyte";
    const Bytes images = read_file(written / name, 1000);
    const Bytes labels = read_file(written / "train-labels-idx1-ubyte", 1000);
    EXPECT_EQ(content_sha256(digits.images), sha256_hex(images));
    EXPECT_EQ(content_sha256(digits), sha256_hex(joined({images, labels})));
  }
}

}  // namespace
}  // namespace gradflip
