#include "runtime/memory_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "kernels/require.h"
#include "runtime/batch_cost.h"
#include "runtime/interval_arena.h"
#include "runtime/lifetimes.h"
#include "runtime/op.h"
#include "runtime/sharding.h"

namespace gradflip {
namespace {

constexpr std::int64_t kAlignBytes = 64;

std::int64_t aligned_bytes(std::int64_t bytes) {
  return (bytes + kAlignBytes - 1) / kAlignBytes * kAlignBytes;
}

class Planner {
 public:
  Planner(const Graph& graph, const Parameters& parameters, const Context& context,
          std::span<const std::int64_t> max_rows)
      : graph_(graph),
        parameters_(parameters),
        context_(context),
        max_rows_(max_rows),
        phases_(phases_of(graph)) {}

  MemoryPlan plan() {
    std::vector<ShownMemory> memory = shown_memory(graph_);
    for (std::size_t id = memory.size(); id-- > 0;) {  // the outermost additions first
      if (!phases_.into[id].none()) memory[id].root = memory[phases_.into[id].index()].root;
    }
    const std::vector<char> kept = kept_values(graph_, memory);
    plan_.placements.resize(memory.size());
    for (std::size_t id = 0; id < memory.size(); ++id) {
      plan_.placements[id].shown = memory[id];
      plan_.placements[id].kept = kept[id] != 0;
      plan_.placements[id].part = !phases_.into[id].none();
    }
    const bool cut = !batch_cut(context_).whole();
    lifetimes_ = lifetimes_of(graph_, phases_, memory, kept, cut);
    place_sums(cut);
    cut_batch(memory);
    for (std::int32_t id = 0; id < graph_.num_values(); ++id) place({id});
    plan_.shared_bytes = shared_.high_water();
    plan_.worker_bytes = worker_.high_water();
    plan_.piece_bytes = piece_.high_water();
    find_workspace();
    plan_.phases = std::move(phases_.list);
    plan_.accumulating = std::move(phases_.accumulating);
    return std::move(plan_);
  }

 private:
  // Gradients first, which lie in a shard's block as they do in the flat gradients.
  void place_sums(bool cut) {
    std::vector<Value> gradients, others;
    for (const Phase& phase : phases_.list) {
      for (const Value sum : phase.sums) {
        const ValueInfo& info = graph_.info(sum);
        GRADFLIP_REQUIRE(
            info.type.dtype == Dtype::kF32,
            message("memory plan: a sum over the batch must be f32, not ", info.type.text()));
        (info.parameter >= 0 ? gradients : others).push_back(sum);
      }
    }
    if (!cut) return;  // they need no parts
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    for (const Value sum : gradients) first = std::min(first, offset_of_parameter(sum));
    for (const Value sum : gradients) {
      std::int64_t& offset = plan_.placements[sum.index()].sum_offset;
      offset = offset_of_parameter(sum) - first;
      plan_.sums_bytes = std::max(plan_.sums_bytes, offset + bytes_of_whole(sum));
    }
    for (const Value sum : others) {
      plan_.placements[sum.index()].sum_offset = plan_.sums_bytes;
      plan_.sums_bytes += bytes_of_whole(sum);
    }
  }

  void cut_batch(const std::vector<ShownMemory>& memory) {
    BatchCost cost = batch_cost(graph_, memory, lifetimes_, max_rows_);
    cost.sums_bytes = plan_.sums_bytes;
    plan_.cut = batch_cut(context_, cost);
    plan_.sharding = sharding_of(
        std::accumulate(max_rows_.begin(), max_rows_.end(), std::int64_t{0}), plan_.cut);
  }

  std::int64_t offset_of_parameter(Value value) const {
    const ValueInfo& info = graph_.info(value);
    require_known(info);
    return parameters_[info.parameter].offset * 4;
  }

  std::int64_t bytes_of_whole(Value value) const {
    const ValueType& type = graph_.type(value);
    return aligned_bytes(type.shape.size() * bytes_of(type.dtype));
  }

  std::int64_t capacity(Rows rows) const {
    std::int64_t total = 0, segments = 0;
    for (std::size_t segment = 0; segment < max_rows_.size(); ++segment) {
      if (!rows.contains_segment(static_cast<int>(segment))) continue;
      total += max_rows_[segment];
      ++segments;
    }
    return piece_capacity(total, segments, plan_.cut);
  }

  void place(Value value) {
    Placement& placement = plan_.placements[value.index()];
    const ValueInfo& info = graph_.info(value);
    if (info.kind == ValueKind::kExternal) {
      placement.space = Space::kExternal;
    } else if (info.kind == ValueKind::kParameter) {
      placement.space = Space::kWeights;
      placement.bank = info.bank;
      placement.offset = offset_of_parameter(value);
    } else if (!(placement.shown.root == value)) {
      // A view: pointers come from its root.
    } else if (info.type.rows.none()) {
      place_whole(value, info, placement);
    } else {
      place_rows(value, info, placement);
    }
  }

  void place_whole(Value value, const ValueInfo& info, Placement& placement) {
    if (info.parameter >= 0) {
      placement.space = Space::kGradients;
      placement.offset = offset_of_parameter(value);
    } else {
      placement.space = Space::kShared;
      placement.offset = shared_.place(bytes_of_whole(value), lifetimes_[value.index()]);
    }
  }

  void place_rows(Value value, const ValueInfo& info, Placement& placement) {
    const std::int64_t bytes = aligned_bytes(capacity(info.type.rows) * info.type.shape.size() *
                                             bytes_of(info.type.dtype));
    const Lifetime& life = lifetimes_[value.index()];
    // One launch after the other sees a batch that stays whole: nothing has to wait for a phase.
    const bool passes = plan_.cut.whole() || life.first_phase == life.last_phase;
    placement.space = passes ? Space::kWorker : Space::kPiece;
    placement.offset = (passes ? worker_ : piece_).place(bytes, life);
  }

  void find_workspace() {
    for (const Node& node : graph_.nodes()) {
      std::vector<ValueType> inputs;
      for (const Value input : node.inputs) inputs.push_back(graph_.type(input));
      const std::int64_t bytes = node.op->workspace_bytes(context_, inputs, most_rows(node));
      GRADFLIP_REQUIRE(bytes == 0 || node.op->divisible_work(inputs) == 0,
                       message("memory plan: ", node.op->name(),
                               " is shared by threads, and wants a workspace"));
      plan_.workspace_bytes = std::max(plan_.workspace_bytes, aligned_bytes(bytes));
    }
  }

  // That a launch of the node can see; 1 where none of its values has any.
  std::int64_t most_rows(const Node& node) const {
    std::int64_t most = 0;
    bool any = false;
    const auto look = [&](const std::vector<Value>& values) {
      for (const Value value : values) {
        const Rows rows = graph_.type(value).rows;
        if (rows.none()) continue;
        most = std::max(most, capacity(rows));
        any = true;
      }
    };
    look(node.inputs);
    look(node.outputs);
    return any ? most : 1;
  }

  // An index that the list does not have, or another shape there, would lie in others' memory.
  void require_known(const ValueInfo& info) const {
    const auto count = static_cast<std::int32_t>(parameters_.list().size());
    GRADFLIP_REQUIRE(info.parameter >= 0 && info.parameter < count,
                     message("memory plan: the graph has a parameter ", info.parameter, " (",
                             info.name, "), and ", count, " are declared"));
    const Parameter& parameter = parameters_[info.parameter];
    GRADFLIP_REQUIRE(
        info.type.shape == parameter.shape,
        message("memory plan: ", info.name, " has the shape ", info.type.shape.text(), ", and ",
                parameter.name, " is declared with ", parameter.shape.text()));
  }

  const Graph& graph_;
  const Parameters& parameters_;
  const Context& context_;
  std::span<const std::int64_t> max_rows_;
  MemoryPlan plan_;
  IntervalArena shared_, worker_, piece_;
  Phases phases_;
  std::vector<Lifetime> lifetimes_;
};

}  // namespace

std::int64_t MemoryPlan::bytes(int workers) const {
  return shared_bytes + piece_bytes * sharding.pieces() + sums_bytes * sharding.shards +
         (worker_bytes + workspace_bytes) * std::min<std::int64_t>(workers, sharding.shards);
}

MemoryPlan plan_memory(const Graph& graph, const Parameters& parameters, const Context& context,
                       std::span<const std::int64_t> max_rows) {
  return Planner(graph, parameters, context, max_rows).plan();
}

}  // namespace gradflip
