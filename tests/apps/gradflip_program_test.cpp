// The built program `gradflip`, from the command line to exit code, streams and files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "apps/common/cli.h"
#include "apps/common/data/digit_folder.h"
#include "apps/common/data/mnist_m.h"
#include "apps/gradflip/commands.h"
#include "tests/apps/bytes.h"
#include "tests/apps/program.h"
#include "tests/support/refused_opens.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using Words = std::vector<std::string>;

// Digits of 2x2 pixels and photographs of 3x3, with the parts that a real set has.
class DataMnistM : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"digits", "photos/train", "photos/test"}) {
      std::filesystem::create_directories(folder_ / name);
    }
    write(folder_ / "digits/train-images-idx3-ubyte", idx_file({6, 2, 2}, 24));
    write(folder_ / "digits/train-labels-idx1-ubyte", idx_file({6}, 6));
    write(folder_ / "digits/t10k-images-idx3-ubyte.gz", gzip(idx_file({3, 2, 2}, 12)));
    write(folder_ / "digits/t10k-labels-idx1-ubyte.gz", gzip(idx_file({3}, 3)));
    std::vector<std::uint8_t> pixels(27);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(9 * i);
    write(folder_ / "photos/train/a.png", png_file(3, 3, 3, pixels));
    write(folder_ / "photos/test/b.png", png_file(3, 3, 3, pixels));
  }

  ProgramResult build(const Words& changes) const {
    return run_program(GRADFLIP_GRADFLIP, command(changes));
  }

  Words command(const Words& changes) const {
    Words words = {"data",         "mnist-m", "--digits",   path("digits"), "--photos",
                   path("photos"), "--blend", "difference", "--out",        path("out")};
    // A later pair replaces the same option's earlier one.
    for (std::size_t i = 0; i + 1 < changes.size(); i += 2) {
      const auto option = std::find(words.begin(), words.end(), changes[i]);
      if (option == words.end()) {
        words.insert(words.end(), {changes[i], changes[i + 1]});
      } else {
        *(option + 1) = changes[i + 1];
      }
    }
    return words;
  }

  // What follows runs under a shell that first does what `preparation` says.
  ProgramResult in_shell(const std::string& preparation, const Words& changes) const {
    Words words = {"-c", preparation + "; exec \"$0\" \"$@\"", GRADFLIP_GRADFLIP};
    for (const std::string& word : command(changes)) words.push_back(word);
    return run_program("/bin/sh", words);
  }

  // More digits, so that writing them takes some time.
  void make_many_digits() const {
    write(folder_ / "digits/train-images-idx3-ubyte", idx_file({20000, 28, 28}, 20000 * 28 * 28));
    write(folder_ / "digits/train-labels-idx1-ubyte", idx_file({20000}, 20000, 10));
    write(folder_ / "digits/t10k-images-idx3-ubyte.gz", gzip(idx_file({1, 28, 28}, 28 * 28)));
    write(folder_ / "digits/t10k-labels-idx1-ubyte.gz", gzip(idx_file({1}, 1)));
    const Bytes photograph = png_file(28, 28, 1, std::vector<std::uint8_t>(28 * 28, 9));
    write(folder_ / "photos/train/a.png", photograph);
    write(folder_ / "photos/test/b.png", photograph);
  }

  std::ptrdiff_t unfinished_files() const {
    std::error_code none;
    std::filesystem::directory_iterator files(folder_ / "out", none);
    return std::count_if(begin(files), end(files), [](const auto& file) {
      return file.path().filename().string().starts_with(".gradflip-");
    });
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  TemporaryFolder folder_;
};

TEST_F(DataMnistM, WritesWhatTheBuilderMakes) {
  for (const std::string name : {"difference", "invert"}) {
    SCOPED_TRACE(name);
    const ProgramResult result = build({"--blend", name, "--seed", "5"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");

    const Blend blend = name == "invert" ? Blend::kInvert : Blend::kDifference;
    const MnistM want = build_mnist_m(read_train(path("digits")), read_test(path("digits")),
                                      list_photographs(path("photos"), blend), blend, 5);
    EXPECT_EQ(content_sha256(read_train(path("out"))), content_sha256(want.train));
    EXPECT_EQ(content_sha256(read_test(path("out"))), content_sha256(want.test));
    // The first of them is the written image file's, and both are those of dann_mnist's JSON.
    const auto sums = [](const LabelledImages& part) {
      return "sha256 " + content_sha256(part.images) + "  with labels " + content_sha256(part);
    };
    EXPECT_EQ(result.out, "train  6 pictures of 2x2  " + sums(want.train) +
                              "\ntest   3 pictures of 2x2  " + sums(want.test) + "\n");
  }
}

TEST_F(DataMnistM, SaysWhenBothPartsSharePhotographs) {
  const ProgramResult result = build({"--photos", path("photos/train")});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("note: "));
  EXPECT_THAT(result.err, HasSubstr("both parts"));
}

TEST_F(DataMnistM, NotesAreOneLineWhateverFoldersAreCalled) {
  std::filesystem::copy(folder_ / "photos/train", folder_ / "two\nlines\x1b[2J");
  const ProgramResult result = build({"--photos", path("two\nlines\x1b[2J")});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, MatchesRegex("note: [^\n]*two\\\\x0alines[^\n\x1b]*\n"));
}

TEST_F(DataMnistM, ErrorsAreOneLineAndLeaveNothingBehind) {
  struct Case {
    Words changes;
    int exit_code;
    std::string message;
  };
  write(folder_ / "file", {});
  std::filesystem::create_directory(folder_ / "colour");
  for (const std::string part : {"train", "t10k"}) {
    write(folder_ / "colour" / (part + "-images-idx4-ubyte"), idx_file({6, 2, 2, 3}, 72));
    write(folder_ / "colour" / (part + "-labels-idx1-ubyte"), idx_file({6}, 6));
  }
  const std::vector<Case> cases = {
      {{"--blend", "mix"}, 2, "mix not in {difference,invert}"},
      {{"--photo", "x"}, 2, "did you mean --photos?"},
      {{"--seed", "-1"}, 2, "--seed"},
      {{"--seed", "x"}, 2, "--seed"},
      {{"--digits", path("absent")}, 3, "absent: no such folder"},
      {{"--digits", path("photos")}, 3, "holds no train-images-idx3-ubyte"},
      {{"--digits", path("colour")}, 3, "colour: its digits are in colour"},
      {{"--photos", path("absent")}, 3, "absent: no such folder"},
      {{"--photos", path("digits")}, 3, "holds no .jpg"},
      {{"--out", path("file")}, 6, "file"},
  };
  for (const auto& [changes, exit_code, message] : cases) {
    SCOPED_TRACE(message);
    const ProgramResult result = build(changes);
    EXPECT_EQ(result.exit_code, exit_code);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, MatchesRegex("gradflip: error: [^\n]*\n"));
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  }
}

// The pictures may take minutes: a place that does not take them is told before, here before the
// digits and a photograph that is none.
TEST_F(DataMnistM, TheOutputIsTriedBeforeAnythingIsRead) {
  write(folder_ / "file", {});
  write(folder_ / "photos/train/a.png", {});
  std::filesystem::remove(folder_ / "digits/train-images-idx3-ubyte");
  for (const char* out : {"file", "file/inside", "file/in/side"}) {
    const ProgramResult result = build({"--out", path(out)});
    EXPECT_EQ(result.exit_code, 6) << out;
    EXPECT_THAT(result.err, HasSubstr(path(out)));
  }
  EXPECT_EQ(build({"--out", path("digits")}).exit_code, 3);
  std::filesystem::create_directories(folder_ / "torchvision/MNIST");
  std::filesystem::copy(folder_ / "digits", folder_ / "torchvision/MNIST/raw");
  const ProgramResult hiding = build({"--out", path("torchvision")});
  EXPECT_EQ(hiding.exit_code, 3);
  EXPECT_THAT(hiding.err, HasSubstr("would hide the digits in"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(DataMnistM, HalfADownloadIsNamed) {
  std::filesystem::remove(folder_ / "digits/t10k-labels-idx1-ubyte.gz");
  const ProgramResult result = build({});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("holds no t10k-labels-idx1-ubyte[.gz], but "));
  EXPECT_THAT(result.err, HasSubstr("t10k-images-idx3-ubyte.gz"));
  EXPECT_THAT(result.err, HasSubstr("fetch it, too"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(DataMnistM, NoFileReplacesTheOneThatAStreamGoesTo) {
  std::filesystem::create_directory(folder_ / "out");
  const std::string file = path("out/train-labels-idx1-ubyte");
  const ProgramResult result = in_shell("exec >'" + file + "'", {});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err,
              HasSubstr("--out " + file + " would replace the file that the standard "));
  EXPECT_EQ(std::filesystem::file_size(file), 0U);
  EXPECT_EQ(build({"--out", "-"}).exit_code, 2);
}

TEST_F(DataMnistM, ASignalBeforeAnythingIsWrittenLeavesNothing) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU}) {
    SCOPED_TRACE(signal);
    CLI::App app;
    Command chosen;
    add_data_command(app, &chosen);
    parse(app, command({}));
    const StopRequest stop;
    raise(signal);
    testing::internal::CaptureStderr();
    EXPECT_EQ(chosen(stop), 128 + signal);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "stopped before anything was written\n");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  }
}

// In a process of its own, which may not have files without a name any more.
TEST_F(DataMnistM, ASignalAmidAFileLeavesTheWholeSet) {
  make_many_digits();
  constexpr int kSkipped = 77;
  const auto signal_while_writing = [&] {
    if (!refuse_unnamed_files()) return kSkipped;
    return signal_program_when(
               GRADFLIP_GRADFLIP, command({}), [&] { return unfinished_files() > 0; }, SIGTERM)
        .exit_code;
  };
  const auto is_done_or_skipped = [](int status) {
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kSkipped);
  };
  EXPECT_EXIT(_exit(signal_while_writing()), is_done_or_skipped, "");
  EXPECT_EQ(unfinished_files(), 0);
  EXPECT_EQ(std::filesystem::exists(folder_ / "out"), has_test(path("out")));
}

// A picture that needs more memory than there is may be one of many.
TEST_F(DataMnistM, APhotographThatDoesNotFitIsNamed) {
  if (in_shell("ulimit -v 60000", {}).exit_code != 0) {
    GTEST_SKIP() << "an address sanitizer, say, needs more than that for itself";
  }
  write(folder_ / "photos/train/large.png",
        png_file(4000, 4000, 1, std::vector<std::uint8_t>(4000 * 4000)));
  const ProgramResult result = in_shell("ulimit -v 60000", {});
  EXPECT_EQ(result.exit_code, 9);
  EXPECT_THAT(result.err, HasSubstr("large.png: out of memory"));
}

TEST(Gradflip, NeedsACommand) {
  for (const Words& words : std::vector<Words>{{}, {"data"}}) {
    const ProgramResult result = run_program(GRADFLIP_GRADFLIP, words);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr("A subcommand is required"));
  }
}

}  // namespace
}  // namespace gradflip
