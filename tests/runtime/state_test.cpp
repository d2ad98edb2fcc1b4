// Small networks of which parts are trained by several rules, stopped and continued elsewhere.
#include "runtime/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "runtime/autodiff.h"
#include "runtime/ops/average.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/check_finite.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/gradient_norm.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/schedule.h"
#include "runtime/sequence.h"
#include "tests/support/backends.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::int64_t kRows = 40;

// A step that trains all but `fixed` by one rule, which has its gradients clipped, then `first` by
// plain SGD as well, and averages the weights into bank 1.
struct TrainedNetwork {
  explicit TrainedNetwork(const ops::OptimizerRule& rule) : rules{rule, SgdOptions{}} {
    const auto parameter = [&](const char* name, const Shape& shape, bool trained = true) {
      const std::int32_t index =
          parameters.add(name, shape, FileLayout::same(shape), Uniform{0.5F}, trained);
      return graph.parameter(index, name, shape);
    };
    const std::vector<Value> trained{parameter("first.weight", {7, 3}),
                                     parameter("first.bias", {7}),
                                     parameter("second.weight", {5, 7})};
    const Value fixed = parameter("fixed.bias", {5}, false);
    Value y = ops::bias(graph, ops::linear(graph, x, trained[0]), trained[1]);
    y = ops::bias(graph, ops::linear(graph, y, trained[2]), fixed);
    loss = sum_all(graph, ops::multiply(graph, y, y), 0.5F);
    const std::vector<Value> gradients = gradients_of(graph, std::span(&loss, 1), trained);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      graph.mark_gradient(gradients[i], static_cast<std::int32_t>(i));
    }
    const std::int64_t size = parameters.flat_size();
    const Value rate = ops::evaluate_schedule(
        graph, step,
        {.kind = Schedule::Kind::kProgressDecay, .start = 1e-2, .alpha = 1.0, .beta = 1.0});
    for (std::size_t group = 0; group < 2; ++group) {
      ops::UpdateValues& values = updates[group];
      values = ops::declare_update(graph, rules[group], size, true);
      values.learning_rate = rate;
      if (group == 0) {
        values.gradient_scale =
            ops::gradient_norm(graph, values.gradients, values.kinds, 2.0F, gradients).factor;
        const std::array<Value, 2> quantities{loss, values.gradients};
        ops::check_finite(graph, values.guard, step, quantities, gradients);
      }
      ops::update(graph, values, rules[group], gradients);
    }
    averaged = graph.external("averaged", graph.type(updates[0].weights));
    ops::average(graph,
                 {.averaged = averaged, .weights = updates[0].weights, .guard = updates[0].guard},
                 0.75F);
    ops::advance_step(graph, step);
  }

  std::array<UpdatedGroup, 2> groups() const {
    return {UpdatedGroup{"all", {}, {"bias"}, ops::num_slots(rules[0])},
            UpdatedGroup{"again", {"first"}, {}, ops::num_slots(rules[1])}};
  }

  Graph graph;
  Parameters parameters;
  Value x = graph.external("x", {Dtype::kF32, {3}, segment_rows(0)});
  Value step = graph.external("step", {Dtype::kI64, {}, {}});
  Value loss, averaged;
  std::array<ops::OptimizerRule, 2> rules;
  std::array<ops::UpdateValues, 2> updates;
};

// A network, its state, and what runs it.
class Training {
 public:
  Training(const Context& context, const ops::OptimizerRule& rule, std::uint64_t seed,
           int threads = 2)
      : context_(context),
        network_(rule),
        state_(context, network_.parameters, seed, network_.groups(), /*banks=*/2),
        workers_(threads),
        executor_(network_.graph, network_.parameters, state_.parameter_blocks(), context, workers_,
                  kMaxRows),
        x_(context, kRows * 3 * 4) {
    feed(random_floats(kRows * 3, 4));
    executor_.bind(network_.x, x_.data());
    executor_.bind(network_.step, state_.step().data());
    executor_.bind(network_.averaged, state_.parameter_blocks().bank(1).data());
    for (const std::size_t group : {0U, 1U}) {
      state_.bind(executor_, network_.updates[group], group);
    }
    sequence_.append(executor_, {kRows});
  }

  void feed(const std::vector<float>& x) {
    copy_from_host(context_, x_.data(), x.data(), x_.bytes());
  }
  void run(std::int64_t steps) { sequence_.run(steps); }
  float loss() const { return executor_.read_scalar(network_.loss); }
  const State& state() const { return state_; }
  const Parameters& parameters() const { return network_.parameters; }

  // Every block's bytes, as a checkpoint has them.
  std::vector<std::vector<char>> save() const {
    std::vector<std::vector<char>> saved;
    for (const StateBlock& block : state_.blocks()) {
      std::vector<char>& bytes =
          saved.emplace_back(static_cast<std::size_t>(block.count * bytes_of(block.dtype)));
      copy_to_host(context_, bytes.data(), block.memory->data(), block.memory->bytes());
    }
    return saved;
  }
  void restore(const std::vector<std::vector<char>>& saved) {
    const std::vector<StateBlock> blocks = state_.blocks();
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      copy_from_host(context_, blocks[i].memory->data(), saved.at(i).data(),
                     blocks[i].memory->bytes());
    }
  }

 private:
  static constexpr std::array<std::int64_t, 1> kMaxRows{kRows};

  Context context_;
  TrainedNetwork network_;
  State state_;
  Workers workers_;
  Executor executor_;
  Sequence sequence_{context_};
  Buffer x_;
};

const std::array<ops::OptimizerRule, 3> kRules{
    SgdOptions{.momentum = 0.9F, .weight_decay = 0.01F, .nesterov = true}, AdamOptions{},
    AdamOptions{.weight_decay = 0.1F, .decoupled = true}};

template <typename Ctx>
class StateTest : public BackendTest<Ctx> {
 protected:
  std::vector<float> bank(const Training& training, int index) const {
    const Buffer& memory = training.state().parameter_blocks().bank(index);
    std::vector<float> values(static_cast<std::size_t>(memory.bytes() / 4));
    copy_to_host(this->ctx(), values.data(), memory.data(), memory.bytes());
    return values;
  }
};
TYPED_TEST_SUITE(StateTest, Backends, BackendNames);

TYPED_TEST(StateTest, ContinuedElsewhereIsAsIfItHadNotStopped) {
  for (const ops::OptimizerRule& rule : kRules) {
    Training whole(this->ctx(), rule, 1), first(this->ctx(), rule, 1), second(this->ctx(), rule, 2);
    whole.run(5);
    first.run(5);
    EXPECT_NE(second.save(), first.save());
    second.restore(first.save());
    EXPECT_EQ(second.save(), whole.save());
    whole.run(5);
    second.run(3);
    second.run(2);
    EXPECT_EQ(second.save(), whole.save());
    EXPECT_EQ(second.loss(), whole.loss());
    EXPECT_NE(second.save(), first.save());
  }
}

TYPED_TEST(StateTest, ThreadsDoNotChangeABit) {
  for (const ops::OptimizerRule& rule : kRules) {
    Training one(this->ctx(), rule, 1, 1), four(this->ctx(), rule, 1, 4);
    one.run(3);
    four.run(3);
    EXPECT_EQ(one.save(), four.save());
  }
}

TYPED_TEST(StateTest, EveryRuleLearns) {
  for (const ops::OptimizerRule& rule : kRules) {
    Training training(this->ctx(), rule, 1);
    training.run(1);
    const float before = training.loss();
    training.run(40);
    EXPECT_LT(training.loss(), 0.8F * before);
  }
}

TYPED_TEST(StateTest, WhatIsNotTrainedStaysAndAveragesFollow) {
  Training training(this->ctx(), SgdOptions{.weight_decay = 0.1F}, 1);
  const std::vector<float> start = this->bank(training, 0);
  EXPECT_EQ(this->bank(training, 1), start);
  training.run(1);
  const std::vector<float> weights = this->bank(training, 0), averages = this->bank(training, 1);
  for (const Parameter& parameter : training.parameters().list()) {
    for (std::int64_t i = 0; i < parameter.shape.size(); ++i) {
      const auto at = static_cast<std::size_t>(parameter.offset + i);
      EXPECT_EQ(weights[at] == start[at], !parameter.trained) << parameter.name;
      EXPECT_FLOAT_EQ(averages[at], 0.75F * start[at] + 0.25F * weights[at]) << parameter.name;
    }
  }
}

TYPED_TEST(StateTest, AStepThatIsNotFiniteIsNoUpdate) {
  for (const ops::OptimizerRule& rule : kRules) {
    Training training(this->ctx(), rule, 1);
    training.run(2);
    const std::vector<std::vector<char>> before = training.save();
    std::vector<float> x = random_floats(kRows * 3, 4);
    x[100] = std::numeric_limits<float>::infinity();
    training.feed(x);
    training.run(3);
    const FiniteGuard guard = training.state().guard();
    EXPECT_EQ(guard.frozen, 1);
    EXPECT_EQ(guard.step, 2);
    const std::vector<std::vector<char>> after = training.save();
    const std::vector<StateBlock> blocks = training.state().blocks();
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const bool counts = blocks[i].name == "step" || blocks[i].name == "guard";
      EXPECT_EQ(after[i] != before[i], counts) << blocks[i].name;
    }
  }
}

TEST(StateBlocksTest, HaveNames) {
  const TrainedNetwork network(AdamOptions{});
  Parameters parameters = network.parameters;
  const State state(Cpu{}, parameters, 1, network.groups(), 3);
  std::vector<std::string> names;
  for (const StateBlock& block : state.blocks()) {
    names.push_back(block.name);
    EXPECT_EQ(block.memory->bytes(), block.count * bytes_of(block.dtype)) << block.name;
  }
  EXPECT_THAT(names, testing::ElementsAre("weights", "weights.1", "weights.2", "step", "guard",
                                          "all.slot.0", "all.slot.1", "all.updates", "again.slot.0",
                                          "again.updates"));
  EXPECT_GT(state.kinds(0).bytes(), 0);
}

TEST(StateBlocksTest, NeedNoKindsWhereEverythingIsUpdated) {
  Parameters parameters;
  parameters.add("weight", {20}, FileLayout::same({20}), Uniform{1.0F});
  const std::array<UpdatedGroup, 1> groups{UpdatedGroup{"all"}};
  const State state(Cpu{}, parameters, 1, groups);
  EXPECT_EQ(state.kinds(0).bytes(), 0);
}

TEST(StateBlocksTest, RefuseGroupsOfOneName) {
  Parameters parameters;
  parameters.add("weight", {20}, FileLayout::same({20}), Uniform{1.0F});
  const std::array<UpdatedGroup, 2> groups{UpdatedGroup{"all"}, UpdatedGroup{"all"}};
  EXPECT_THAT([&] { State(Cpu{}, parameters, 1, groups); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("two groups are called all")));
}

}  // namespace
}  // namespace gradflip
