#include <gtest/gtest.h>

#include <sstream>

#include "apps/common/report/paper_rows.h"
#include "apps/common/run/progress.h"
#include "apps/dann_mnist/data_sources.h"
#include "apps/dann_mnist/experiment.h"
#include "models/networks/paper_mnist.h"
#include "tests/apps/small_digits.h"

namespace gradflip {
namespace {

class ExperimentTest : public SmallDigitsTest {
 protected:
  // A run that is asked to stop as soon as it has asked so many times; counts what it saves.
  RunResult run_until(int asked, int& saved) {
    DataArguments folders;
    folders.source = source();
    folders.target = target();
    const LoadedData loaded = load_data(folders, /*with_target_labels=*/false, [] {});
    Recipe recipe;
    recipe.training.steps = 2;
    recipe.training.source_batch = recipe.training.target_batch = 16;
    const Device device = select_device("cpu");
    std::ostringstream messages;
    Progress progress(messages, {});
    const DeviceSets sets(device.context, loaded);
    const Network network = paper_mnist(digits_input(loaded.experiment.channel_means));
    const Experiment experiment{sets,
                                network,
                                recipe,
                                device,
                                /*threads=*/1,
                                progress,
                                [&] { return asked-- <= 0; },
                                [&](const Trainer& /*trainer*/, const RunResult& result) {
                                  EXPECT_GT(result.steps, 0);
                                  ++saved;
                                }};
    return gradflip::run(experiment, kDann, /*seed=*/1);
  }
};

TEST_F(ExperimentTest, ARunThatIsStoppedSavesWhatItLearned) {
  int saved = 0;
  const RunResult run = run_until(1, saved);
  EXPECT_FALSE(run.completed);
  EXPECT_EQ(run.steps, 1);
  EXPECT_EQ(saved, 1);
}

// The file may hold the weights of an earlier run, which were better than none.
TEST_F(ExperimentTest, ARunThatIsStoppedBeforeItsFirstStepSavesNothing) {
  int saved = 0;
  const RunResult run = run_until(0, saved);
  EXPECT_FALSE(run.completed);
  EXPECT_EQ(run.steps, 0);
  EXPECT_FALSE(run.error);
  EXPECT_EQ(saved, 0);
}

}  // namespace
}  // namespace gradflip
