// Runs a graph for tests, on any context: owns what its external values are bound to.
#pragma once

#include <cmath>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/executor.h"
#include "runtime/graph.h"
#include "runtime/memory_plan.h"
#include "runtime/parameters.h"
#include "runtime/sequence.h"
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
                  plan ? *plan : plan_memory(graph_, parameters_, context, rows_)),
        sequence_(context) {
    sequence_.append(executor_, rows_);
  }

  template <typename T>
  Buffer& bind(Value value, const std::vector<T>& contents) {
    Buffer& memory =
        memories_.emplace_back(context_, static_cast<std::int64_t>(contents.size() * sizeof(T)));
    copy_from_host(context_, memory.data(), contents.data(), memory.bytes());
    executor_.bind(value, memory.data());
    return memory;
  }

  // Room for the rows of every result; read_rows finds them after a run.
  void bind_results() {
    for (std::int32_t id = 0; id < graph_.num_values(); ++id) {
      const ValueInfo& info = graph_.info({id});
      if (!info.result || info.type.rows.none()) continue;
      const std::int64_t size = rows_of(info.type) * info.type.shape.size();
      const std::vector<float> poison(static_cast<std::size_t>(size) + 1, std::nanf(""));
      Buffer& memory =
          memories_.emplace_back(context_, static_cast<std::int64_t>(poison.size()) * 4);
      copy_from_host(context_, memory.data(), poison.data(), memory.bytes());
      executor_.bind_result({id}, memory.data());
      results_[id] = &memory;
    }
  }

  std::vector<float> read_rows(Value result) const {
    const ValueType& type = graph_.type(result);
    std::vector<float> contents(static_cast<std::size_t>(rows_of(type) * type.shape.size()));
    copy_to_host(context_, contents.data(), results_.at(result.id)->data(),
                 static_cast<std::int64_t>(contents.size()) * 4);
    return contents;
  }

  void set_weights(const std::vector<float>& weights) {
    copy_from_host(context_, blocks_.weights.data(), weights.data(),
                   static_cast<std::int64_t>(weights.size() * sizeof(float)));
  }

  void run(std::int64_t steps = 1) { sequence_.run(steps); }

  std::vector<float> read(Value value) const {
    std::vector<float> contents(static_cast<std::size_t>(graph_.type(value).shape.size()));
    executor_.read(value, contents.data(), static_cast<std::int64_t>(contents.size()) * 4);
    return contents;
  }

  Executor& executor() { return executor_; }
  // What one replay of a step enqueues; null where nothing was recorded.
  const Recording* recorded_step() const { return sequence_.recorded_step(); }
  const ParameterBlocks& blocks() const { return blocks_; }

 private:
  std::int64_t rows_of(const ValueType& type) const {
    std::int64_t count = 0;
    for (std::size_t segment = 0; segment < rows_.size(); ++segment) {
      if (type.rows.contains_segment(static_cast<int>(segment))) count += rows_[segment];
    }
    return count;
  }

  const Graph& graph_;
  Context context_;
  std::vector<std::int64_t> rows_;
  Parameters parameters_;
  ParameterBlocks blocks_;
  Workers workers_;
  Executor executor_;
  Sequence sequence_;
  std::list<Buffer> memories_;
  std::map<std::int32_t, Buffer*> results_;
};

}  // namespace gradflip
