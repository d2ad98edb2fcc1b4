// What reaches stdout and the disk when not all goes well.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/apps/small_digits.h"

namespace gradflip {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using Document = nlohmann::json;

class ResultsTest : public SmallDigitsTest {
 protected:
  // By way of a shell that first does what `preparation` says.
  static ProgramResult in_shell(const std::string& preparation, const Words& words) {
    return run_program(
        "/bin/sh",
        joined({"-c", preparation + "; exec \"$0\" \"$@\"", GRADFLIP_DANN_MNIST}, words));
  }
};

TEST_F(ResultsTest, AFailedRunIsARowAndTheOthersGoOn) {
  const Words words = on_folders(joined(kDannDiverges, {"--steps", "2", "--seeds", "2"}));
  const ProgramResult as_json = dann_mnist(joined(words, {"--json"}));
  EXPECT_EQ(as_json.exit_code, 7);
  EXPECT_THAT(as_json.err, HasSubstr("dann_mnist: error: dann seed 1: training diverged"));
  EXPECT_THAT(as_json.err, EndsWith("(4 of 6 runs were completed)\n"));
  const Document json = Document::parse(as_json.out);
  EXPECT_EQ(json["exit_code"], 7);
  ASSERT_EQ(json["runs"].size(), 6U);
  for (const Document& run : json["runs"]) {
    const bool diverged = run["mode"] == "dann";
    EXPECT_EQ(run["completed"], !diverged);
    EXPECT_EQ(run.contains("error"), diverged);
    EXPECT_EQ(run.contains("target_test_accuracy"), !diverged);
    if (diverged) {
      EXPECT_EQ(run["error"]["code"], 7);
    }
  }
  EXPECT_EQ(json["summary"]["source-only"]["runs"], 2);
  EXPECT_FALSE(json["summary"].contains("dann"));

  const ProgramResult as_table = dann_mnist(words);
  EXPECT_EQ(as_table.exit_code, 7);
  for (const char* part : {"source-only", "train-on-target", "failed: dann seed 1", "seed 2",
                           "source-only 2 of 2, dann 0 of 2"}) {
    EXPECT_THAT(as_table.out, HasSubstr(part));
  }
}

TEST_F(ResultsTest, FailFastEndsAtTheFirst) {
  const ProgramResult result = dann_mnist(
      on_folders(joined(kDannDiverges, {"--steps", "2", "--seeds", "2", "--fail-fast", "--json"})));
  EXPECT_EQ(result.exit_code, 7);
  const Document json = Document::parse(result.out);
  ASSERT_EQ(json["runs"].size(), 2U);
  EXPECT_EQ(json["runs"][0]["completed"], true);
  EXPECT_EQ(json["summary"]["source-only"]["planned"], 2);
}

TEST_F(ResultsTest, WeightsThatFindNoRoomCostNoFigures) {
  const auto file = own_ / "weights.safetensors";
  for (const Words& output : {Words{"--json"}, Words{}}) {
    const ProgramResult result = in_shell(
        "ulimit -f 100", on_folders(joined({"--steps", "2", "--save", file.string()}, output)));
    EXPECT_EQ(result.exit_code, 6) << result.err;
    EXPECT_THAT(result.err, HasSubstr("error: source-only seed 1: cannot write"));
    EXPECT_THAT(result.err, HasSubstr("ulimit -f"));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(own_.path()), {}), 0);
    if (output.empty()) {
      EXPECT_THAT(result.out, HasSubstr("train-on-target"));
      EXPECT_THAT(result.out, HasSubstr("not saved: dann seed 1"));
      continue;
    }
    const Document json = Document::parse(result.out);
    ASSERT_EQ(json["runs"].size(), 3U);
    for (const Document& run : json["runs"]) {
      EXPECT_EQ(run["completed"], true);
      EXPECT_TRUE(run["target_test_accuracy"].is_number());
      EXPECT_EQ(run["save_error"]["code"], 6);
    }
  }
}

TEST_F(ResultsTest, AStandardOutputThatTakesNothingIsAnError) {
  for (const char* output : {"exec >/dev/full", "exec >&-"}) {
    for (const char* form : {"--json", "--fail-fast"}) {
      SCOPED_TRACE(std::string(output) + form);
      const ProgramResult result =
          in_shell(output, on_folders({"--mode", "dann", "--steps", "2", form}));
      EXPECT_EQ(result.exit_code, 6) << result.err;
      EXPECT_THAT(result.err, HasSubstr("cannot write to the standard output"));
      EXPECT_THAT(result.err, HasSubstr("\nDANN ")) << "the figures are on stderr, then";
    }
  }
}

TEST_F(ResultsTest, AStandardOutputThatTakesNothingHidesNoOtherError) {
  const std::vector<std::pair<Words, const char*>> cases = {
      {on_target(own_ / "missing", {"--json"}), "missing: no such folder"},
      {on_folders(joined(kDannDiverges, {"--steps", "2", "--json"})),
       "dann seed 1: training diverged"},
      {on_folders(joined(kDannDiverges, {"--steps", "2"})), "dann seed 1: training diverged"}};
  for (const auto& [words, says] : cases) {
    SCOPED_TRACE(says);
    const ProgramResult result = in_shell("exec >/dev/full", words);
    EXPECT_EQ(result.exit_code, 6);
    const auto first = result.err.find("dann_mnist: error: ");
    ASSERT_NE(first, std::string::npos);
    EXPECT_THAT(result.err.substr(first), HasSubstr(says));
    EXPECT_THAT(result.err.substr(first), HasSubstr("cannot write to the standard output"));
  }
}

TEST_F(ResultsTest, AClosedPipeOfMessagesStopsNothing) {
  const std::string pipe = "'" + (own_ / "pipe").string() + "'";
  const ProgramResult result =
      in_shell("mkfifo " + pipe + "; exec 3<>" + pipe + " 2>" + pipe + " 3<&-",
               on_folders({"--mode", "dann", "--steps", "2", "--json"}));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(Document::parse(result.out)["runs"][0]["completed"], true);
}

TEST_F(ResultsTest, NamesThatAreNotUtf8AreShownReplaced) {
  const auto folder = own_ /
                      "donn\xe9"
                      "es";
  std::filesystem::copy(target(), folder, std::filesystem::copy_options::recursive);
  const auto config = own_ / "run.toml";
  const ProgramResult result = dann_mnist(on_target(
      folder, {"--mode", "dann", "--steps", "2", "--json", "--save-config", config.string()}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(Document::parse(result.out)["data"]["target"]["name"].get<std::string>(),
              HasSubstr("donn\xef\xbf\xbd"
                        "es"));
  EXPECT_EQ(dann_mnist({"--config", config.string()}).exit_code, 0) << "it keeps the bytes";
}

TEST_F(ResultsTest, AnErrorBeforeTheFirstRunIsADocumentToo) {
  const ProgramResult data = dann_mnist(on_target(own_ / "missing", {"--json"}));
  EXPECT_EQ(data.exit_code, 3);
  const Document json = Document::parse(data.out);
  EXPECT_EQ(json["error"]["code"], 3);
  EXPECT_THAT(json["error"]["message"].get<std::string>(), HasSubstr("missing"));
  EXPECT_EQ(json["runs"], Document::array());
  EXPECT_EQ(dann_mnist(on_folders({"--json", "--steps", "0"})).out, "") << "usage";
}

TEST_F(ResultsTest, ACommandLineThatDoesNotRunReplacesNoFile) {
  const auto keep = own_ / "keep.toml";
  std::ofstream(keep) << "steps = 2\n";
  const Words save = {"--save-config", keep.string()};
  const std::vector<std::pair<Words, int>> cases = {
      {on_folders(joined(save, {"--precision", "tf32"})), 2},
      {on_folders(joined(save, {"--save", (own_ / "missing/weights").string()})), 6},
      {on_folders(joined(save, {"--source-batch", "97"})), 2},
      {on_target(own_ / "missing", save), 3},
      {joined(save, {"--device", "cuda:99"}), 5},
  };
  for (const auto& [words, exit_code] : cases) {
    SCOPED_TRACE(::testing::PrintToString(words));
    EXPECT_EQ(dann_mnist(words).exit_code, exit_code);
    std::ifstream file(keep);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "steps = 2\n");
  }
}

TEST_F(ResultsTest, OutputsStayApart) {
  const auto weights = (own_ / "model.st").string();
  const auto copy = copy_of(source());
  const auto data = copy / "train-images-idx3-ubyte";
  std::filesystem::create_symlink(data, own_ / "link");
  const auto config = own_ / "run.toml";
  std::ofstream(config) << "steps = 2\n";
  std::filesystem::create_directory(own_ / "model-dann-seed2.st");
  const Words on_copy = {"--source",        copy.string(), "--target",
                         target().string(), "--mode",      "dann"};
  struct Case {
    Words words;
    int exit_code;
    const char* says;
  };
  const std::vector<Case> cases = {
      {{"--save", weights, "--save-config", weights, "--mode", "dann"}, 2, "both write"},
      {{"--save", weights, "--save-config", (own_ / "./model-dann-seed1.st").string()}, 2, "both"},
      {joined(on_copy, {"--save", data.string()}), 2, "would replace a file that --source reads"},
      {joined(on_copy, {"--save-config", (own_ / "link").string()}), 2, "--source reads"},
      {{"--config", config.string(), "--save-config", config.string()}, 2, "--config reads"},
      {{"--save", weights, "--seeds", "2"}, 6, "model-dann-seed2.st: it is a folder"},
  };
  const auto size = std::filesystem::file_size(data);
  for (const Case& each : cases) {
    SCOPED_TRACE(::testing::PrintToString(each.words));
    const ProgramResult result = dann_mnist(each.words);
    EXPECT_EQ(result.exit_code, each.exit_code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(each.says));
    EXPECT_THAT(result.err, Not(HasSubstr("device:")));
    EXPECT_EQ(std::filesystem::file_size(data), size);
  }
}

// The document would be lost, and the exit code 0.
TEST_F(ResultsTest, NoOutputReplacesTheFileThatTheDocumentGoesTo) {
  const std::string file = (own_ / "results.json").string();
  const Words words = on_folders({"--mode", "dann", "--steps", "2", "--json"});
  for (const Words& output : {Words{"--save", file}, {"--save-config", file}}) {
    const ProgramResult result = in_shell("exec >'" + file + "'", joined(words, output));
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err,
                HasSubstr(output.front() + " " + file + " would replace the file that "));
    EXPECT_EQ(std::filesystem::file_size(file), 0U);
  }
  const Words apart = joined(words, {"--save", (own_ / "weights").string()});
  EXPECT_EQ(in_shell("exec >'" + file + "'", apart).exit_code, 0);
  std::ifstream document(file);
  EXPECT_EQ(Document::parse(document)["exit_code"], 0);
}

}  // namespace
}  // namespace gradflip
