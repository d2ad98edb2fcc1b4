// A trainer on the second of two GPUs, made on one thread and run on others, whose current device
// is the first one.
#include <gtest/gtest.h>

#include <thread>
#include <utility>
#include <vector>

#include "models/methods/dann.h"
#include "models/trainer.h"
#include "runtime/device.h"
#include "tests/simt/config.h"
#include "tests/support/tiny_domains.h"

namespace gradflip {
namespace {

TEST(SecondGpuTrainerTest, TrainsAsOnTheFirstOne) {
  const int before = std::exchange(simt::config().devices, 2);
  Recipe recipe;
  recipe.training.source_batch = 2;
  recipe.training.target_batch = 1;
  recipe.training.steps = 20;
  const auto weights_on = [&](const char* name) {
    Device device;
    std::thread([&] { device = select_device(name); }).join();
    const TinyDomains domains(device.context, 9, 8);
    Trainer trainer(dann(), domains.network(), recipe, domains.data(), /*seed=*/5, device,
                    /*threads=*/1);
    std::thread([&] { trainer.run(1); }).join();   // launches
    std::thread([&] { trainer.run(19); }).join();  // records, and replays steps and blocks of them
    return trainer.weights();
  };
  EXPECT_EQ(weights_on("cuda:1"), weights_on("cuda:0"));
  simt::config().devices = before;
}

}  // namespace
}  // namespace gradflip
