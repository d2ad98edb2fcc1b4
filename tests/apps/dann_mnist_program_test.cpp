// The built program, from the command line to exit code, streams and files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/dann_mnist/modes.h"
#include "kernels/math_mode.h"
#include "models/network_list.h"
#include "runtime/safetensors.h"
#include "tests/apps/small_digits.h"

namespace gradflip {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using Document = nlohmann::json;

// Everything in a report but times, which no two runs share.
Document without_times(Document report) {
  report.erase("wall");
  for (Document& run : report["runs"]) {
    for (const char* key : {"seconds", "evaluation_seconds", "images_per_second",
                            "seconds_per_source_epoch", "wall"}) {
      run.erase(key);
    }
    for (Document& epoch : run["history"]) epoch.erase("seconds");
  }
  return report;
}

using DannMnistTest = SmallDigitsTest;

TEST_F(DannMnistTest, ComputesInBf16OnTheCpu) {
  const ProgramResult result =
      dann_mnist(on_folders({"--mode", "dann", "--steps", "2", "--precision", "bf16", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Document::parse(result.out)["precision"], "bf16");
  EXPECT_EQ(result.err.find("computing in f32") == std::string::npos,
            computes_in(Cpu{}, Math::kBf16));
}

TEST_F(DannMnistTest, BuiltinDataGivesOneJsonDocument) {
  const ProgramResult result = dann_mnist(
      {"--data", "builtin", "--mode", "source-only", "--steps", "3", "--json", "--device", "cpu"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Document json = Document::parse(result.out);  // throws for anything around the document
  EXPECT_EQ(json["config"]["data"], "builtin");
  for (const char* domain : {"source", "target"}) {
    EXPECT_EQ(json["data"][domain]["sha256"].get<std::string>().size(), 64U);
  }
  EXPECT_NE(json["data"]["source"]["sha256"], json["data"]["target"]["sha256"]);
  EXPECT_EQ(json["data"]["target"]["channels"], 3);
  EXPECT_EQ(json["data"]["target"]["transductive"], false);
}

TEST_F(DannMnistTest, EveryModeIsARunOfTheDocument) {
  const ProgramResult result = dann_mnist(on_folders({"--steps", "3", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Document json = Document::parse(result.out);
  EXPECT_EQ(json["config"]["steps"], 3);
  EXPECT_TRUE(json["config"]["epochs"].is_null());
  EXPECT_EQ(json["config"]["gamma"], 10.0);
  EXPECT_EQ(json["preset"], "paper");
  EXPECT_EQ(json["precision"], "f32");
  EXPECT_GT(json["runs"][0]["seconds_per_source_epoch"], 0.0);
  for (const Document& wall : {json["wall"], json["runs"][0]["wall"]}) {
    double all = 0.0;
    for (const char* part : {"steps", "evaluation", "data", "other"}) {
      EXPECT_GE(wall[part], 0.0) << part;
      all += wall[part].get<double>();
    }
    EXPECT_NEAR(all, 1.0, 1e-9);
  }

  ASSERT_EQ(json["runs"].size(), 3U);
  const Words modes = {"source-only", "dann", "target-only"};
  for (std::size_t i = 0; i < modes.size(); ++i) {
    const Document& run = json["runs"][i];
    EXPECT_EQ(run["mode"], modes[i]);
    EXPECT_EQ(run["steps"], 3);
    EXPECT_GT(run["seconds"].get<double>(), 0.0);
    EXPECT_GT(run["images_per_second"].get<double>(), 0.0);
    EXPECT_GT(run["final_label_loss"].get<double>(), 0.0);
    ASSERT_EQ(run["history"].size(), 1U);
    EXPECT_EQ(run["history"][0]["target_test_accuracy"], run["target_test_accuracy"]);
    EXPECT_EQ(run["oracle_target_test_accuracy"], run["target_test_accuracy"]);
    for (const char* key : {"source_test_accuracy", "target_test_accuracy"}) {
      EXPECT_GE(run[key].get<double>(), 0.0);
      EXPECT_LE(run[key].get<double>(), 1.0);
    }
    EXPECT_EQ(run["final_domain_loss"].is_null(), modes[i] != "dann");
    EXPECT_EQ(json["summary"][modes[i]]["target_test_accuracy"]["mean"],
              run["target_test_accuracy"]);
  }
}

TEST_F(DannMnistTest, TheTableIsAllThatStdoutHolds) {
  const ProgramResult result = dann_mnist(on_folders({"--epochs", "2"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {"source-only", "DANN", "train-on-target", "gap closed", "oracle"}) {
    EXPECT_THAT(result.out, HasSubstr(part));
  }
  EXPECT_THAT(result.out, Not(HasSubstr("epoch 1/2")));
  for (const char* line : {"source-only seed 1  epoch 1/2", "dann seed 1  epoch 2/2",
                           "target-only seed 1  epoch 2/2"}) {
    EXPECT_THAT(result.err, HasSubstr(line));
  }
  EXPECT_EQ(result.err.find_first_of("\r\x1b"), std::string::npos) << "stderr is no terminal here";
}

TEST_F(DannMnistTest, SeedsAreConsecutiveAndSummarised) {
  const ProgramResult result = dann_mnist(
      on_folders({"--mode", "dann", "--epochs", "2", "--seed", "5", "--seeds", "2", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Document json = Document::parse(result.out);
  ASSERT_EQ(json["runs"].size(), 2U);
  EXPECT_EQ(json["runs"][0]["seed"], 5);
  EXPECT_EQ(json["runs"][1]["seed"], 6);
  EXPECT_NE(json["runs"][0]["final_label_loss"], json["runs"][1]["final_label_loss"]);
  const Document& history = json["runs"][0]["history"];
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[1]["steps"], 12);  // 96 pictures, 16 of each domain a step
  const double a = json["runs"][0]["target_test_accuracy"];
  const double b = json["runs"][1]["target_test_accuracy"];
  const Document& accuracy = json["summary"]["dann"]["target_test_accuracy"];
  EXPECT_NEAR(accuracy["mean"].get<double>(), (a + b) / 2.0, 1e-12);
  EXPECT_NEAR(accuracy["std"].get<double>(), std::abs(a - b) / std::sqrt(2.0), 1e-12);
  EXPECT_TRUE(json["summary"]["dann"]["gap_closed"].is_null());
}

TEST_F(DannMnistTest, ResultsDoNotDependOnTheNumberOfThreads) {
  Document reports[2];
  for (int i = 0; i < 2; ++i) {
    const ProgramResult result =
        dann_mnist(on_folders({"--epochs", "1", "--json", "--threads", std::to_string(i + 1)}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    reports[i] = without_times(Document::parse(result.out));
  }
  EXPECT_EQ(reports[0]["runs"], reports[1]["runs"]);
}

TEST_F(DannMnistTest, ASavedConfigurationRepeatsTheRun) {
  const auto file = (own_ / "run.toml").string();
  const ProgramResult first = dann_mnist(on_folders(
      {"--mode", "dann", "--preset", "deepda", "--steps", "4", "--json", "--save-config", file}));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const ProgramResult second = dann_mnist({"--config", file, "--json"});
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(without_times(Document::parse(first.out)), without_times(Document::parse(second.out)));
}

TEST_F(DannMnistTest, SavesTheWeightsOfEveryRunUnderItsName) {
  const auto file = own_ / "model.safetensors";
  const ProgramResult one =
      dann_mnist(on_folders({"--mode", "dann", "--steps", "2", "--save", file.string()}));
  ASSERT_EQ(one.exit_code, 0) << one.err;
  const SafetensorsFile model = read_safetensors(file);
  EXPECT_GT(model.content.tensors.size(), 8U);

  const ProgramResult all =
      dann_mnist(on_folders({"--steps", "2", "--seed", "3", "--save", file.string()}));
  ASSERT_EQ(all.exit_code, 0) << all.err;
  for (const char* name : {"model-source-only-seed3.safetensors", "model-dann-seed3.safetensors",
                           "model-target-only-seed3.safetensors"}) {
    EXPECT_TRUE(std::filesystem::exists(own_ / name)) << name;
  }
}

// Every run of the command line ends with an accuracy on the target.
void expect_accuracies(const ProgramResult& result, const std::vector<std::string>& modes) {
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Document json = Document::parse(result.out);
  ASSERT_EQ(json["runs"].size(), modes.size());
  for (std::size_t i = 0; i < modes.size(); ++i) {
    EXPECT_EQ(json["runs"][i]["mode"], modes[i]);
    EXPECT_EQ(json["runs"][i]["completed"], true) << modes[i];
    EXPECT_TRUE(json["runs"][i]["target_test_accuracy"].is_number()) << modes[i];
  }
}

TEST_F(DannMnistTest, TrainsEveryNetwork) {
  for (const std::string& network : network_names()) {
    SCOPED_TRACE(network);
    const ProgramResult result =
        dann_mnist(on_folders({"--network", network, "--mode", "dann", "--steps", "1", "--json"}));
    expect_accuracies(result, {"dann"});
    EXPECT_EQ(Document::parse(result.out)["config"]["network"], network);
  }
}

// Without batch normalisation and with it, for which methods apply their networks to one domain or
// to both.
TEST_F(DannMnistTest, TrainsByEveryMethod) {
  for (const char* network : {"mlp", "fungtion"}) {
    for (const char* statistics : {"joint", "per-domain"}) {
      SCOPED_TRACE(testing::Message() << network << ", " << statistics);
      expect_accuracies(
          dann_mnist(on_folders({"--network", network, "--batch-norm", statistics, "--mode",
                                 text_of(mode_names()), "--steps", "2", "--json"})),
          mode_names());
    }
  }
}

TEST_F(DannMnistTest, NotesOptionsThatNoModeReads) {
  const ProgramResult result =
      dann_mnist(on_folders({"--mode", "source-only", "--gamma", "3", "--steps", "2", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("note: --gamma: no mode of this run reads it"));
  const Document json = Document::parse(result.out);
  EXPECT_THAT(json["notes"].dump(), HasSubstr("--gamma: no mode of this run reads it"));
}

struct Failure {
  Words words;
  int exit_code;
  const char* says;
};

TEST_F(DannMnistTest, FailuresAreOneLineAndADocumentedExitCode) {
  const auto large = own_ / "large";
  LabelledImages digits;
  digits.images = {64, 40, 40, 1, std::vector<std::uint8_t>(64 * 40 * 40)};
  digits.labels.resize(64);
  write_digit_folder(large, digits, digits);
  const std::string missing = (own_ / "missing").string();
  const std::vector<Failure> cases = {
      {{"--epoch", "3"}, 2, "did you mean --epochs?"},
      {{"--lamda=1"}, 2, "did you mean --lambda?"},
      {{"--steps", "0"}, 2, "--steps"},
      {{"--epochs", "2", "--steps", "2"}, 2, "--epochs"},
      {{"--batch", "7"}, 2, "--batch"},
      {{"--device", "gpu"}, 2, "gpu"},
      {{"--source", missing, "--target", missing}, 3, "missing"},
      {{"--source", large.string(), "--target", target().string()}, 3, "40x40"},
      {on_folders({"--source-batch", "16", "--target-batch", "97"}), 2, "--batch"},
      {{"--source", source().string(), "--target", target().string(), "--batch", "1024"},
       3,
       "smaller --batch"},
      {{"--device", "cuda:99"}, 5, "cuda:99"},
      {{"--device", "cpu", "--precision", "tf32"}, 2, "choose one of them, or a GPU"},
      {on_folders({"--save", missing + "/model.safetensors"}), 6, "model.safetensors"},
      {on_folders({"--save", own_.path().string()}), 6, "it is a folder"},
      {on_folders({"--save-config", missing + "/run.toml"}), 6, "run.toml"},
      {on_folders(
           {"--learning-rate-schedule", "step", "--decay-gamma", "1", "--decay-power", "30"}),
       2, "--decay-power"},
      {on_folders({"--mode", "dann", "--learning-rate", "1e30", "--epochs", "2"}), 7, "diverged"},
  };
  for (const Failure& failure : cases) {
    SCOPED_TRACE(::testing::PrintToString(failure.words));
    const ProgramResult result = dann_mnist(failure.words);
    EXPECT_EQ(result.exit_code, failure.exit_code) << result.err;
    EXPECT_EQ(result.out, "");
    const auto error = result.err.find("dann_mnist: error: ");
    ASSERT_NE(error, std::string::npos) << result.err;
    EXPECT_THAT(result.err.substr(error), HasSubstr(failure.says));
    EXPECT_EQ(
        std::count(result.err.begin() + static_cast<std::ptrdiff_t>(error), result.err.end(), '\n'),
        1);
  }
}

}  // namespace
}  // namespace gradflip
