// The program dann_mnist on digit folders that train in a moment.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "apps/common/data/digit_folder.h"
#include "apps/common/data/drawn_digits.h"
#include "tests/apps/program.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {

using Words = std::vector<std::string>;

inline Words joined(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Diverges as soon as there is a domain loss, and nowhere else.
inline const Words kDannDiverges = {"--domain-weight", "1e30"};

class SmallDigitsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    suite_folder = new TemporaryFolder;
    DrawnDigitsOptions options;
    options.train_count = 96;
    options.test_count = 40;
    const DrawnDigits digits = draw_digits(options);
    write_digit_folder(source(), digits.source_train, digits.source_test);
    write_digit_folder(target(), digits.target_train, digits.target_test);
  }
  static void TearDownTestSuite() {
    delete suite_folder;
    suite_folder = nullptr;
  }

  static std::filesystem::path source() { return *suite_folder / "source"; }
  static std::filesystem::path target() { return *suite_folder / "target"; }

  static ProgramResult dann_mnist(const Words& words) {
    return run_program(GRADFLIP_DANN_MNIST, words);
  }

  // The command line of a run on those folders, or on another target.
  static Words on_folders(const Words& more) { return on_target(target(), more); }
  static Words on_target(const std::filesystem::path& folder, const Words& more) {
    return joined({"--source", source().string(), "--target", folder.string(), "--batch", "32",
                   "--device", "cpu"},
                  more);
  }

  // A copy of a folder that a test may spoil.
  std::filesystem::path copy_of(const std::filesystem::path& folder) const {
    auto copy = own_ / folder.filename().string();
    std::filesystem::copy(folder, copy, std::filesystem::copy_options::recursive);
    return copy;
  }

  TemporaryFolder own_;

 private:
  static inline TemporaryFolder* suite_folder = nullptr;
};

}  // namespace gradflip
