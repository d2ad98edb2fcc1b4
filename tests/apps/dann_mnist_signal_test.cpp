// What a signal leaves on stdout and on the disk.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/dann_mnist/program.h"
#include "runtime/safetensors.h"
#include "tests/apps/parsed_arguments.h"
#include "tests/apps/small_digits.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using Document = nlohmann::json;
using SignalTest = SmallDigitsTest;

TEST_F(SignalTest, ASignalEndsTheRunInOrder) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    SCOPED_TRACE(signal);
    const auto file = own_ / ("stopped" + std::to_string(signal) + ".safetensors");
    const ProgramResult result = signal_program(
        GRADFLIP_DANN_MNIST,
        on_folders({"--mode", "dann", "--epochs", "100000", "--save", file.string()}),
        "epoch 1/100000", signal);
    EXPECT_EQ(result.exit_code, 128 + signal);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("stopped early: dann seed 1"));
    EXPECT_GT(read_safetensors(file).content.tensors.size(), 8U);
  }
}

TEST_F(SignalTest, ASignalLeavesADocumentOfWhatWasDone) {
  const Words words = on_folders({"--steps", "2", "--seeds", "10000", "--json"});
  // What stderr holds when the signal is sent, and how many runs have ended by then.
  const std::vector<std::pair<std::string, std::size_t>> marks = {{"device:", 0},
                                                                  {"source-only seed 1  epoch", 0},
                                                                  {"dann seed 1  epoch", 1},
                                                                  {"target-only seed 1  epoch", 2},
                                                                  {"source-only seed 2  epoch", 3},
                                                                  {"dann seed 5  epoch", 13}};
  for (const auto& [mark, ended] : marks) {
    SCOPED_TRACE(mark);
    const ProgramResult result = signal_program(GRADFLIP_DANN_MNIST, words, mark, SIGTERM);
    EXPECT_EQ(result.exit_code, 143);
    const Document json = Document::parse(result.out);
    EXPECT_EQ(json["exit_code"], 143);
    const Document& runs = json["runs"];
    EXPECT_GE(runs.size(), ended);
    EXPECT_LT(runs.size(), 30000U);
    for (std::size_t i = 0; i + 1 < runs.size(); ++i) EXPECT_EQ(runs[i]["completed"], true);
    for (const std::string mode : {"source-only", "dann", "target-only"}) {
      const auto completed = std::count_if(runs.begin(), runs.end(), [&](const Document& run) {
        return run["mode"] == mode && run["completed"] == true;
      });
      EXPECT_EQ(completed > 0 ? json["summary"][mode]["runs"] : Document(0), completed) << mode;
    }
  }
}

TEST_F(SignalTest, ASignalBeforeTheFirstRunIsSaid) {
  for (const Words& output : {Words{}, Words{"--json"}}) {
    const StopRequest stop;
    raise(SIGTERM);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    EXPECT_EQ(run_program(parse(on_folders(output)), stop), 143);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "stopped before the first run\n");
    EXPECT_EQ(testing::internal::GetCapturedStdout().empty(), output.empty());
  }
}

// A pipe may keep the program waiting for its options; the last of the words is what happens to it
// meanwhile. `exec` waits until the program reads.
ProgramResult while_options_are_read(const std::string& pipe, const Words& words,
                                     const std::string& happens) {
  const std::string script =
      "mkfifo \"$1\"; pipe=$1; shift; \"$0\" \"$@\" --config \"$pipe\" & exec 2>/dev/null; "
      "exec 3>\"$pipe\"; " +
      happens + "; exec 3>&-; wait $!";
  return run_program("/bin/sh", joined({"-c", script, GRADFLIP_DANN_MNIST, pipe}, words));
}

TEST_F(SignalTest, ASignalWhileOptionsAreReadEndsTheProgram) {
  for (const auto& [name, number] : {std::pair{"TERM", SIGTERM}, {"HUP", SIGHUP}}) {
    SCOPED_TRACE(name);
    const ProgramResult result =
        while_options_are_read((own_ / name).string(), on_folders({"--json"}),
                               std::string("kill -") + name + " $!; echo 'steps = 2' >&3");
    EXPECT_EQ(result.exit_code, 128 + number);
    EXPECT_EQ(result.out + result.err, "");
  }
}

TEST_F(SignalTest, ASignalThatIsIgnoredDoesNotEndTheReadingOfOptions) {
  const ProgramResult result = while_options_are_read(
      (own_ / "pipe").string(), on_folders({"--mode", "dann"}),
      "kill -INT $!; echo 'steps = 2' >&3");  // a shell's background jobs ignore it
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

// With the limit of `ulimit -t` the operating system would kill it, and nothing would be left.
TEST_F(SignalTest, ALimitOfCpuTimeLeavesADocument) {
  const ProgramResult result = run_program(
      "/bin/sh", joined({"-c", "ulimit -t 2; exec \"$0\" \"$@\"", GRADFLIP_DANN_MNIST},
                        on_folders({"--mode", "dann", "--epochs", "1000000", "--json"})));
  EXPECT_EQ(result.exit_code, 128 + SIGXCPU);
  const Document json = Document::parse(result.out);
  EXPECT_EQ(json["exit_code"], 128 + SIGXCPU);
  EXPECT_EQ(json["runs"][0]["completed"], false);
}

// 143 would promise that all is well and saved.
TEST_F(SignalTest, AFailureBeforeASignalIsTheExitCode) {
  const auto file = (own_ / "weights.safetensors").string();
  struct Case {
    const char* preparation;
    Words words;
    int exit_code;
    const char* says;
  };
  const std::vector<Case> cases = {
      {"ulimit -f 100", {"--save", file}, 6, "error: source-only seed 1: cannot write"},
      {":", kDannDiverges, 7, "error: dann seed 1: training diverged"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.preparation);
    const Words words =
        on_folders(joined(each.words, {"--steps", "2", "--seeds", "10000", "--json"}));
    const ProgramResult result = signal_program(
        "/bin/sh",
        joined({"-c", each.preparation + std::string("; exec \"$0\" \"$@\""), GRADFLIP_DANN_MNIST},
               words),
        "source-only seed 2  epoch", SIGTERM);
    EXPECT_EQ(result.exit_code, each.exit_code);
    EXPECT_THAT(result.err, HasSubstr(each.says));
    const Document json = Document::parse(result.out);
    EXPECT_EQ(json["exit_code"], each.exit_code);
    EXPECT_LT(json["runs"].size(), 30000U);
  }
}

// As under nohup, and for a job that a script started in the background.
TEST_F(SignalTest, AnIgnoredSignalStaysIgnored) {
  for (const int signal : {SIGHUP, SIGINT}) {
    SCOPED_TRACE(signal);
    const ProgramResult result =
        signal_program("/bin/sh",
                       joined({"-c", "trap '' HUP INT; exec \"$0\" \"$@\"", GRADFLIP_DANN_MNIST},
                              on_folders({"--mode", "dann", "--epochs", "2"})),
                       "epoch 1/2", signal);
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
}

}  // namespace
}  // namespace gradflip
