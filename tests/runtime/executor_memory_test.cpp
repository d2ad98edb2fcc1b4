// What an executor allocates, and what is left of it where something fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <type_traits>

#include "kernels/device_error.h"
#include "kernels/elementwise.h"
#include "runtime/executor.h"
#include "runtime/op.h"
#include "runtime/ops/schedule.h"
#include "runtime/sharding.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

template <typename Ctx>
class ExecutorMemoryTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(ExecutorMemoryTest, Backends, BackendNames);

// Copies a scalar, and fails once.
class FailsOnce final : public Op {
 public:
  explicit FailsOnce(int on_call) : on_call_(on_call) {}
  std::string_view name() const override { return "fails_once"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }
  void run(const Launch& launch) const override {
    if (++calls_ == on_call_) throw DeviceError("the launch failed");
    dispatch(launch,
             [&](auto ctx) { scale(ctx, 1, {}, launch.in<float>(0), launch.out<float>(0)); });
  }

 private:
  int on_call_;
  mutable int calls_ = 0;
};

// Where launches are recorded, the calls are: one step, its recording, that of a block of steps.
TYPED_TEST(ExecutorMemoryTest, AStepThatFailsOnceCanBeRunAgain) {
  for (const int on_call : {1, 2, 3, 10}) {
    SCOPED_TRACE(on_call);
    Graph graph;
    const Value x = graph.external("x", {Dtype::kF32, {}, {}});
    const Value step = graph.external("step", {Dtype::kI64, {}, {}});
    const Value y = graph.append_one(std::make_shared<const FailsOnce>(on_call), {x});
    ops::advance_step(graph, step);
    GraphRunner runner(graph, {1}, 1, {}, this->ctx());
    runner.bind(x, std::vector<float>{7.0F});
    Buffer& counter = runner.bind(step, std::vector<std::int64_t>{0});
    EXPECT_THROW(runner.run(40), DeviceError);
    std::int64_t before = 0, after = 0;
    copy_to_host(this->ctx(), &before, counter.data(), sizeof before);
    runner.run(40);
    copy_to_host(this->ctx(), &after, counter.data(), sizeof after);
    EXPECT_EQ(after - before, 40);
    EXPECT_EQ(runner.read(y)[0], 7.0F);
  }
}

// Has rows, and as many bytes of workspace for each of them.
class MakesRows final : public Op {
 public:
  explicit MakesRows(Rows rows) : rows_(rows) {}
  std::string_view name() const override { return "makes_rows"; }
  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override {
    return {{Dtype::kF32, {}, rows_}};
  }
  std::int64_t workspace_bytes(const Context& /*context*/, std::span<const ValueType> /*inputs*/,
                               std::int64_t rows) const override {
    return rows * 64;
  }
  void run(const Launch& /*launch*/) const override {}

 private:
  Rows rows_;
};

TYPED_TEST(ExecutorMemoryTest, WorkspaceIsForTheRowsThatANodeMakes) {
  const std::array<std::int64_t, 2> max_rows{10, 90};
  const auto workspace = [&](bool reads_few) {
    Graph graph;
    std::vector<Value> inputs;
    if (reads_few) inputs.push_back(graph.external("x", {Dtype::kF32, {}, segment_rows(0)}));
    graph.append(std::make_shared<const MakesRows>(segment_rows(0) | segment_rows(1)), inputs);
    return plan_memory(graph, {}, this->ctx(), max_rows).workspace_bytes;
  };
  const std::int64_t rows = piece_capacity(100, 2, batch_cut(Context(this->ctx())));
  EXPECT_EQ(workspace(false), rows * 64);
  EXPECT_EQ(workspace(true), rows * 64);
}

TYPED_TEST(ExecutorMemoryTest, RefusesParametersThatTheBlocksDoNotHold) {
  const Context context = this->ctx();
  Parameters parameters;
  parameters.add("weight", {2, 3}, FileLayout::same({2, 3}), Uniform{1.0F});
  const ParameterBlocks blocks(context, parameters);
  Workers workers(1);
  const std::array<std::int64_t, 1> rows{4};
  const auto execute = [&](const Graph& graph) {
    return [&] { Executor(graph, parameters, blocks, context, workers, rows); };
  };
  Graph graph;
  graph.parameter(0, "weight", {2, 3});
  EXPECT_NO_THROW(execute(graph)());
  Graph unknown;
  unknown.parameter(1, "late", {2, 3});
  EXPECT_THAT(execute(unknown), ThrowsMessage<std::invalid_argument>(HasSubstr("late")));
  Graph wide;
  wide.parameter(0, "weight", {200, 3});
  EXPECT_THAT(execute(wide), ThrowsMessage<std::invalid_argument>(HasSubstr("weight")));
  Graph copied;
  copied.parameter(0, "weight", {2, 3}, /*bank=*/1);
  EXPECT_THAT(execute(copied), ThrowsMessage<std::invalid_argument>(HasSubstr("bank 1")));
  Parameters more;
  for (const char* name : {"weight", "late"}) {
    more.add(name, {2, 3}, FileLayout::same({2, 3}), Uniform{1.0F});
  }
  EXPECT_THAT([&] { Executor(graph, more, blocks, context, workers, rows); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("before the blocks are made")));
}

TEST(ScratchPoolTest, HasOneForEachThatCanBeInUseAtOnce) {
  const ScratchPool by_worker(Cpu{}, 2, 4, 64, 64);
  EXPECT_EQ(&by_worker.of(1, 0), &by_worker.of(1, 3));
  EXPECT_NE(&by_worker.of(0, 3), &by_worker.of(1, 3));
  const ScratchPool by_shard(Cpu{}, 200, 4, 64, 64);
  EXPECT_EQ(&by_shard.of(0, 3), &by_shard.of(199, 3));
  EXPECT_NE(&by_shard.of(7, 2), &by_shard.of(7, 3));
}

}  // namespace
}  // namespace gradflip
