// Runs a graph on a context: nodes in order, in the memory that the plan gave them. Has never heard
// of gradients.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "kernels/context.h"
#include "runtime/graph.h"
#include "runtime/launch_observer.h"
#include "runtime/memory.h"
#include "runtime/memory_plan.h"
#include "runtime/op.h"
#include "runtime/parameters.h"
#include "runtime/scratch.h"
#include "runtime/shard_sums.h"
#include "runtime/sharding.h"
#include "runtime/tensor.h"
#include "runtime/workers.h"

namespace gradflip {

class Executor {
 public:
  // max_rows: rows of each segment that a run may have at most. Everything passed must outlive the
  // executor; several executors may share workers and blocks, and then run one at a time. All
  // memory is allocated here, in an amount that grows with the workers only up to the number of
  // shards: where batches stay whole it does not depend on them. Throws std::invalid_argument if
  // parameters were declared after the blocks were made, or the graph has others.
  Executor(const Graph& graph, const Parameters& parameters, const ParameterBlocks& blocks,
           const Context& context, Workers& workers, std::span<const std::int64_t> max_rows);
  // In memory as it was planned before, of the same graph, parameters, context and rows.
  Executor(const Graph& graph, const Parameters& parameters, const ParameterBlocks& blocks,
           const Context& context, Workers& workers, std::span<const std::int64_t> max_rows,
           MemoryPlan plan);

  // Where an external value lies, in the context's memory. Throws std::invalid_argument for another
  // kind of value.
  void bind(Value external, const void* memory);

  // Where the rows of a result go, in the context's memory: in every run those of the whole batch,
  // segment after segment. Throws std::invalid_argument for another kind of value.
  void bind_result(Value result, void* memory);

  // Runs every node once, over rows[segment] <= max_rows[segment] rows. Throws
  // std::invalid_argument if an external value or a result with rows is not bound, or segments that
  // a view takes for each other have different numbers of rows. Same inputs, same bits, for any
  // number of workers. Allocates nothing. Results are complete when they are read, not when this
  // returns. Many steps: sequence.h.
  void run(std::span<const std::int64_t> rows);

  // Copies a computed value without rows to the host: the total, where it is a sum over the batch.
  // Type and size must be the value's own. Throws std::invalid_argument if others may lie in its
  // place by the end of a step: what a node reads, takes more than kKeptBytes (lifetimes.h) and is
  // no result, and parts of a gradient (joined_sums.h).
  void read(Value value, void* to, std::int64_t bytes) const;
  float read_scalar(Value value) const;

  // From now on tells `observer` of every launch, which makes recorded steps impossible; null ends
  // that. It must outlive its use.
  void observe(LaunchObserver* observer) { observer_ = observer; }
  bool is_observed() const { return observer_ != nullptr; }

  // How often values were bound so far: what was recorded before knows nothing of later ones.
  std::int64_t bindings() const { return bindings_; }

  const MemoryPlan& plan() const { return plan_; }

 private:
  // Where in the batch a launch stands.
  struct Position {
    int worker = 0;
    const Scratch* scratch = nullptr;
    std::int64_t shard = 0, piece = 0;
    std::span<const SegmentRange> segments;
    GradientWatch watch;
  };

  // What a launch is told; of one worker.
  struct Arguments {
    std::vector<TensorView> inputs, outputs;
    std::vector<SegmentRange> segments;
  };

  Position whole_batch(int worker) const;
  bool every_gradient_is_a_sum(const Graph& graph) const;
  void require_runnable(std::span<const std::int64_t> rows) const;
  void run_sharded(const Phase& phase, std::span<const std::int64_t> rows);
  void run_whole(const Phase& phase);
  void launch(std::int32_t index, const Position& position, Write write, std::int64_t work_begin,
              std::int64_t work_end);
  void copy_result(Value result, const Position& position) const;
  TensorView view_of(Value value, const Position& position, bool partial) const;
  std::byte* memory_of(Value root, const Position& position, bool partial) const;

  const Graph& graph_;
  const ParameterBlocks& blocks_;
  Context context_;
  Workers& workers_;
  std::vector<std::int64_t> max_rows_;
  MemoryPlan plan_;
  Buffer shared_, pieces_;
  ShardSums sums_;
  GradientWatch watch_;
  ScratchPool scratch_;
  std::vector<Arguments> arguments_;         // by worker
  std::vector<std::byte*> bound_;            // by value id; null where not external, and no result
  std::vector<std::vector<Value>> results_;  // with rows, by the node that makes them
  std::vector<std::pair<int, int>> partners_;  // segments that need equal numbers of rows
  std::vector<SegmentRange> whole_batch_;      // segments as whole nodes see them

  std::int64_t bindings_ = 0;
  LaunchObserver* observer_ = nullptr;

  // Of the sums that a phase ends with, made once.
  std::vector<std::vector<ShardSum>> chunks_;
};

}  // namespace gradflip
