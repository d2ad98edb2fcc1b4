// The launches of a recorded step, node by node, beside what step_bench --cost counts on paper: one
// for each node at the least.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/step_cost.h"
#include "benchmarks/support/paper_network.h"
#include "benchmarks/two_views.h"
#include "models/methods/dann.h"
#include "models/stage_run.h"
#include "runtime/recording.h"
#include "tests/support/device_test.h"
#include "tests/support/tiny_domains.h"

namespace gradflip {
namespace {

struct CountedStep {
  std::int64_t launches = 0;           // of a recorded step; 0 where nothing is recorded
  std::int64_t of_nodes = 0;           // the sum over its nodes, each recorded by itself
  std::int64_t nodes = 0;              // that launch something
  std::set<std::string> several = {};  // operations of which a node makes several launches
};

class LaunchCounter final : public LaunchObserver {
 public:
  LaunchCounter(const Context& context, const Graph& graph, CountedStep& counted)
      : context_(context), graph_(graph), counted_(counted) {}

  void around(int /*worker*/, std::int32_t node, const std::function<void()>& work) override {
    const std::int64_t launches = record(context_, work)->launches();
    work();
    counted_.of_nodes += launches;
    counted_.nodes += launches > 0 ? 1 : 0;
    if (launches > 1) {
      counted_.several.emplace(graph_.nodes()[static_cast<std::size_t>(node)].op->name());
    }
  }

 private:
  Context context_;
  const Graph& graph_;
  CountedStep& counted_;
};

template <typename Ctx>
class LaunchCountTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  // Of a method of one update.
  CountedStep count(const Method& method, const Recipe& recipe) const {
    const LabelledImages source_images = tiny_domain(9, 3, 1);
    const UnlabelledImages target_images = tiny_domain(8, 3, 2).without_labels();
    const LabelledDeviceData source(device_.context, source_images, "source");
    const DeviceData target(device_.context, target_images, "target");
    const Network network = bench::network_of(recipe);
    Parameters parameters;
    const std::vector<WrittenUpdate> updates =
        write_stage(method.stages(recipe).back(), {.network = network,
                                                   .recipe = recipe,
                                                   .parameters = parameters,
                                                   .source = source.shape(),
                                                   .num_classes = kNumClasses,
                                                   .target = target.shape()});
    const State state(device_.context, parameters, 1, std::array{updated_group(updates[0].draft)});
    Workers workers(1);
    const InputMemory input(device_.context, network.input);
    StageRun run(updates, {parameters, state, device_.context, workers, input, source, &target},
                 {.record_capacity = 4});
    run.run(3);
    CountedStep counted;
    const Recording* step = run.sequence().recorded_step();
    if (step == nullptr) return counted;
    counted.launches = step->launches();
    Program& program = run.program(0);
    LaunchCounter counter(device_.context, program.graph(), counted);
    program.executor().observe(&counter);
    run.run(1);
    program.executor().observe(nullptr);
    return counted;
  }
};
TYPED_TEST_SUITE(LaunchCountTest, Backends, BackendNames);

Recipe three_pictures() {
  Recipe recipe;
  recipe.training.source_batch = 2;
  recipe.training.target_batch = 1;
  return recipe;
}

std::int64_t nodes_on_paper(const Method& method, const Recipe& recipe) {
  return std::ssize(bench::step_cost(recipe, method, bench::device_model("h100")).rows);
}

TYPED_TEST(LaunchCountTest, ThePapersStepHasThoseOnPaper) {
  const CountedStep counted = this->count(dann(), three_pictures());
  EXPECT_EQ(counted.launches > 0, can_record(this->device_.context));
  if (counted.launches == 0) return;
  EXPECT_EQ(counted.launches, nodes_on_paper(dann(), three_pictures()));
  EXPECT_EQ(counted.of_nodes, counted.launches);
  EXPECT_THAT(counted.several, testing::IsEmpty());
}

// The network digits-m with all that its recipes have. A node on rows may launch something for each
// of the four segments, and sums that many blocks share are added up by a second launch.
TYPED_TEST(LaunchCountTest, AStepOfTwoViewsHasMoreThanOnPaper) {
  Recipe recipe = three_pictures();
  recipe.training.network = "digits-m";
  recipe.training.augment = "strong";
  recipe.training.batch_norm = BatchStatistics::kPerDomain;
  recipe.training.optimizer = OptimizerKind::kAdam;
  const CountedStep counted = this->count(bench::dann_of_two_views(), recipe);
  EXPECT_EQ(counted.launches > 0, can_record(this->device_.context));
  if (counted.launches == 0) return;
  EXPECT_EQ(counted.nodes, nodes_on_paper(bench::dann_of_two_views(), recipe));
  EXPECT_EQ(counted.of_nodes, counted.launches);
  EXPECT_LE(counted.launches, 118);  // as it was in 2026-11, for 86 nodes
  EXPECT_THAT(std::vector(counted.several.begin(), counted.several.end()),
              testing::IsSubsetOf({"augment", "batch_norm_sums", "check_finite", "concat_rows",
                                   "conv2d_backward_filter", "place_rows", "row_moments"}));
  this->RecordProperty("launches", std::to_string(counted.launches));
}

}  // namespace
}  // namespace gradflip
