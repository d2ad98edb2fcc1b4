// Whoever starts the tests may ignore signals, as nohup and a script's background jobs do, and
// programs respect that. Tests of signals begin as from a terminal.
#include <gtest/gtest.h>
#include <signal.h>

namespace gradflip {
namespace {

class DefaultSignals : public ::testing::Environment {
 public:
  void SetUp() override {
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGXCPU}) ::signal(signal, SIG_DFL);
  }
};

const auto* const default_signals = ::testing::AddGlobalTestEnvironment(new DefaultSignals);

}  // namespace
}  // namespace gradflip
