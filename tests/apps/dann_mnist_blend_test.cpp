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
#include "tests/apps/bytes.h"
#include "tests/apps/program.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

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
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report["config"]["blend"], name);
  EXPECT_EQ(report["runs"].size(), 3U);

  const Blend blend = name == "difference" ? Blend::kDifference : Blend::kInvert;
  const MnistM expected =
      build_mnist_m(digits_.source_train, digits_.source_test,
                    read_photographs(folder_ / "photos", blend), blend, /*seed=*/0);
  const Json& target = report["data"]["target"];
  EXPECT_EQ(target["sha256"], content_sha256(expected.train.images));
  EXPECT_EQ(target["test_sha256"], content_sha256(expected.test));
  EXPECT_EQ(target["channels"], 3);
  EXPECT_THAT(target["name"].get<std::string>(), HasSubstr(name));
}

INSTANTIATE_TEST_SUITE_P(Variants, BlendTest, ::testing::Values("difference", "invert"));

}  // namespace
}  // namespace gradflip
