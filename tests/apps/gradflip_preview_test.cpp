// `gradflip data preview`, from the command line to exit code, streams and the sheet.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "apps/common/cli.h"
#include "apps/common/data/stb_decoder.h"
#include "apps/gradflip/commands.h"
#include "runtime/atomic_file.h"
#include "tests/apps/bytes.h"
#include "tests/apps/program.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class DataPreview : public ::testing::Test {
 protected:
  // Later words replace those of the same option.
  std::vector<std::string> command(std::vector<std::string> changes) const {
    std::vector<std::string> words = {"data", "preview"};
    for (const auto& [option, value] :
         std::vector<std::pair<std::string, std::string>>{{"--data", "built-in"},
                                                          {"--augment", "shift=3, flip@0.5"},
                                                          {"--out", path("sheet.png")}}) {
      if (std::find(changes.begin(), changes.end(), option) != changes.end()) continue;
      words.insert(words.end(), {option, value});
    }
    words.insert(words.end(), changes.begin(), changes.end());
    return words;
  }

  ProgramResult preview(const std::vector<std::string>& changes) const {
    return run_program(GRADFLIP_GRADFLIP, command(changes));
  }

  std::vector<std::byte> sheet() const { return read_file(path("sheet.png"), 1 << 26); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  TemporaryFolder folder_;
};

TEST_F(DataPreview, WritesASheet) {
  const ProgramResult result = preview({});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  const stb::PictureSize size = stb::read_size(sheet());
  EXPECT_EQ(result.out, path("sheet.png") + "  " + std::to_string(size.width) + "x" +
                            std::to_string(size.height) + "  pictures 2  views 8  sections 3\n");
  const std::vector<std::byte> first = sheet();
  EXPECT_EQ(preview({}).exit_code, 0);
  EXPECT_EQ(sheet(), first);
  EXPECT_EQ(preview({"--seed", "1"}).exit_code, 0);
  EXPECT_NE(sheet(), first);
}

TEST_F(DataPreview, HasASectionForEachOperationAndOneForAll) {
  const auto sections = [this](const std::string& augment) {
    const std::string out = preview({"--augment", augment, "--views", "1", "--count", "1"}).out;
    return out.substr(std::min(out.find("sections"), out.size()));
  };
  EXPECT_EQ(sections("none"), "sections 1\n");
  EXPECT_EQ(sections("weak"), "sections 1\n");
  EXPECT_EQ(sections("rotate=30@0.5"), "sections 1\n");
  EXPECT_EQ(sections("1 of (rotate=30, invert)"), "sections 3\n");
  EXPECT_EQ(sections("rotate=30, 1 of (rotate=30, invert), invert@0.5"), "sections 3\n");
  EXPECT_EQ(sections("strong"), "sections 14\n");
}

TEST_F(DataPreview, ReadsFoldersOfDigitsWithoutLabels) {
  std::filesystem::create_directories(folder_ / "grey");
  write(folder_ / "grey/train-images-idx3-ubyte", idx_file({5, 9, 7}, 5 * 9 * 7));
  EXPECT_EQ(preview({"--data", path("grey"), "--count", "9", "--views", "2"}).exit_code, 0);
  std::filesystem::create_directories(folder_ / "large");
  write(folder_ / "large/train-images-idx3-ubyte", idx_file({2, 60, 80}, 2 * 60 * 80));
  EXPECT_EQ(preview({"--data", path("large")}).exit_code, 0);
  const ProgramResult missing = preview({"--data", path("nothing")});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_THAT(missing.err, MatchesRegex("gradflip: error: [^\n]*nothing[^\n]*\n"));
}

TEST_F(DataPreview, RefusesWhatItCannotDo) {
  const auto refuses = [this](const std::vector<std::string>& changes, const std::string& told) {
    const ProgramResult result = preview(changes);
    EXPECT_EQ(result.exit_code, 2) << told;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, MatchesRegex("gradflip: error: [^\n]*\n"));
    EXPECT_THAT(result.err, HasSubstr(told));
    EXPECT_FALSE(std::filesystem::exists(path("sheet.png")));
  };
  refuses({"--augment", "rotat=30"}, "--augment: \"rotat=30\": there is no operation \"rotat\"");
  refuses({"--count", "0"}, "--count: \"0\" is not between 1 and 64");
  refuses({"--views", "65"}, "--views: \"65\" is not between 1 and 64");
  refuses({"--out", "-"}, "--out");
  refuses({"--augment", "strong", "--count", "64", "--views", "64"}, "ask for fewer");
  const ProgramResult nowhere = preview({"--out", path("none/sheet.png")});
  EXPECT_EQ(nowhere.exit_code, 6);
}

TEST_F(DataPreview, ASignalLeavesNothing) {
  CLI::App app;
  Command chosen;
  add_data_command(app, &chosen);
  parse(app, command({"--views", "1"}));
  const StopRequest stop;
  raise(SIGTERM);
  testing::internal::CaptureStderr();
  EXPECT_EQ(chosen(stop), 128 + SIGTERM);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "stopped before anything was written\n");
  EXPECT_FALSE(std::filesystem::exists(path("sheet.png")));
}

}  // namespace
}  // namespace gradflip
