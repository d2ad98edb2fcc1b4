// Runs a graph on the CPU for tests: owns what its external values are bound to.
#pragma once

#include <cstdint>
#include <cstring>
#include <list>
#include <memory>
#include <vector>

#include "runtime/executor.h"
#include "runtime/graph.h"
#include "runtime/parameters.h"
#include "runtime/workers.h"

namespace gradflip {

class GraphRunner {
 public:
  GraphRunner(const Graph& graph, std::vector<std::int64_t> rows, int threads = 1,
              Parameters parameters = {})
      : graph_(graph),
        rows_(std::move(rows)),
        parameters_(std::move(parameters)),
        blocks_(Cpu{}, parameters_),
        workers_(threads),
        executor_(graph_, parameters_, blocks_, Cpu{}, workers_, rows_) {}

  template <typename T>
  void bind(Value value, const std::vector<T>& contents) {
    Buffer& memory = memories_.emplace_back(Context(Cpu{}),
                                            static_cast<std::int64_t>(contents.size() * sizeof(T)));
    if (!contents.empty()) std::memcpy(memory.data(), contents.data(), contents.size() * sizeof(T));
    executor_.bind(value, memory.data());
  }

  void run() { executor_.run(rows_); }

  std::vector<float> read(Value value) const {
    std::vector<float> contents(static_cast<std::size_t>(graph_.type(value).shape.size()));
    executor_.read(value, contents.data(), static_cast<std::int64_t>(contents.size()) * 4);
    return contents;
  }

  Executor& executor() { return executor_; }
  const ParameterBlocks& blocks() const { return blocks_; }

 private:
  const Graph& graph_;
  std::vector<std::int64_t> rows_;
  Parameters parameters_;
  ParameterBlocks blocks_;
  Workers workers_;
  Executor executor_;
  std::list<Buffer> memories_;
};

}  // namespace gradflip
