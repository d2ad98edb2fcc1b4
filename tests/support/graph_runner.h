// Runs a graph for tests, on any context: owns what its external values are bound to.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/executor.h"
#include "runtime/graph.h"
#include "runtime/memory_plan.h"
#include "runtime/parameters.h"
#include "runtime/workers.h"

namespace gradflip {

class GraphRunner {
 public:
  // plan: in other memory than the executor would plan.
  GraphRunner(const Graph& graph, std::vector<std::int64_t> rows, int threads = 1,
              Parameters parameters = {}, const Context& context = Cpu{},
              const std::optional<MemoryPlan>& plan = std::nullopt)
      : graph_(graph),
        context_(context),
        rows_(std::move(rows)),
        parameters_(std::move(parameters)),
        blocks_(context, parameters_),
        workers_(threads),
        executor_(graph_, parameters_, blocks_, context, workers_, rows_,
                  plan ? *plan : plan_memory(graph_, parameters_, context, rows_)) {}

  template <typename T>
  Buffer& bind(Value value, const std::vector<T>& contents) {
    Buffer& memory =
        memories_.emplace_back(context_, static_cast<std::int64_t>(contents.size() * sizeof(T)));
    copy_from_host(context_, memory.data(), contents.data(), memory.bytes());
    executor_.bind(value, memory.data());
    return memory;
  }

  void set_weights(const std::vector<float>& weights) {
    copy_from_host(context_, blocks_.weights.data(), weights.data(),
                   static_cast<std::int64_t>(weights.size() * sizeof(float)));
  }

  void run(std::int64_t steps = 1) { executor_.run(rows_, steps); }

  std::vector<float> read(Value value) const {
    std::vector<float> contents(static_cast<std::size_t>(graph_.type(value).shape.size()));
    executor_.read(value, contents.data(), static_cast<std::int64_t>(contents.size()) * 4);
    return contents;
  }

  Executor& executor() { return executor_; }
  const ParameterBlocks& blocks() const { return blocks_; }

 private:
  const Graph& graph_;
  Context context_;
  std::vector<std::int64_t> rows_;
  Parameters parameters_;
  ParameterBlocks blocks_;
  Workers workers_;
  Executor executor_;
  std::list<Buffer> memories_;
};

}  // namespace gradflip
