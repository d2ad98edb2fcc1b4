// Which files an experiment may write.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "apps/common/report/paper_rows.h"
#include "apps/common/usage_error.h"
#include "apps/dann_mnist/outputs.h"
#include "tests/apps/bytes.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

class OutputsTest : public ::testing::Test {
 protected:
  // An empty file: the guard knows data by where they are, not by what they hold.
  fs::path file(const std::string& name) const {
    fs::create_directories((folder_ / name).parent_path());
    write(folder_ / name, {});
    return folder_ / name;
  }

  // Why `output` is refused, as weights and as a configuration alike; "" if it is not.
  static std::string refusal(const DataArguments& data, const fs::path& output) {
    Arguments weights, config;
    weights.modes = config.modes = {kDann};
    weights.data = config.data = data;
    weights.save = config.save_config = output;
    std::string why[2];
    for (int i = 0; i < 2; ++i) {
      try {
        require_outputs(i == 0 ? weights : config);
      } catch (const UsageError& error) {
        why[i] = error.what();
      }
    }
    EXPECT_EQ(why[0].empty(), why[1].empty());
    return why[0];
  }

  TemporaryFolder folder_;
};

TEST_F(OutputsTest, DigitsAreKeptUnderEveryNameThatIsRead) {
  const std::vector<std::string> names = {
      "train-images-idx3-ubyte",
      "train-labels-idx1-ubyte.gz",
      "t10k-images.idx3-ubyte",
      "test-labels-idx1-ubyte",
      "train_images_idx3_ubyte",
      "TRAIN-IMAGES-IDX3-UBYTE",
      "Train-Images.IDX4-Ubyte.GZ",
      "train-images-idx3-ubyte/train-images.idx3-ubyte",
      "raw/train-images-idx3-ubyte",
      "MNIST/raw/train-images-idx3-ubyte",
      "MNIST/raw/t10k_labels_idx1_ubyte.gz",
      "MNIST/raw/train-images-idx3-ubyte/train-images-idx3-ubyte",
  };
  for (std::size_t i = 0; i < names.size(); ++i) {
    SCOPED_TRACE(names[i]);
    const fs::path set = folder_ / std::to_string(i);
    const fs::path digits = file(std::to_string(i) + "/" + names[i]);
    DataArguments data;
    data.source = data.target = set;
    EXPECT_THAT(refusal(data, digits), HasSubstr("would replace a file that --source reads"));
    data.source = folder_ / "missing";
    EXPECT_THAT(refusal(data, digits), HasSubstr("--target reads"));
    data.target = folder_ / "missing";
    data.target_test = set;
    EXPECT_THAT(refusal(data, digits), HasSubstr("--target-test reads"));
    EXPECT_EQ(refusal(data, digits.parent_path() / "model.safetensors"), "");
  }
}

TEST_F(OutputsTest, PhotographsAreKeptUnderEveryNameThatIsRead) {
  for (const std::string name : {"flat/a.jpg", "flat/b.JPEG", "flat/c.jpe", "flat/d.jfif",
                                 "parts/train/e.jfif", "parts/test/f.png", "only/train/g.jpe"}) {
    SCOPED_TRACE(name);
    const fs::path photograph = file(name);
    for (const char* blend : {"difference", "invert"}) {
      DataArguments data;
      data.source = folder_.path();
      data.photos = folder_ / name.substr(0, name.find('/'));
      data.blend = blend;
      EXPECT_THAT(refusal(data, photograph), HasSubstr("--photos reads"));
      EXPECT_EQ(refusal(data, photograph.parent_path() / "model.safetensors"), "");
    }
  }
}

// Whoever sees a dash may well mean the standard output.
TEST_F(OutputsTest, ADashIsNoName) {
  EXPECT_THAT(refusal({}, "-"), HasSubstr("write ./- for one that is called so"));
  EXPECT_EQ(refusal({}, folder_ / "-"), "");
}

// One set that cannot be told apart hides no other.
TEST_F(OutputsTest, WhatOneReaderRefusesIsNoMatterHere) {
  file("two/A/raw/train-images-idx3-ubyte");
  file("two/B/raw/train-images-idx3-ubyte");
  const fs::path digits = file("one/train-images-idx3-ubyte");
  DataArguments data;
  data.source = folder_ / "two";
  data.target = folder_ / "one";
  EXPECT_THAT(refusal(data, digits), HasSubstr("--target reads"));
  data.source = folder_ / "missing";
  EXPECT_THAT(refusal(data, digits), HasSubstr("--target reads"));
}

}  // namespace
}  // namespace gradflip
