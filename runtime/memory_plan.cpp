#include "runtime/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "kernels/require.h"
#include "runtime/op.h"
#include "runtime/sharding.h"

namespace gradflip {
namespace {

constexpr std::int64_t kAlignBytes = 64;

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kAlignBytes - 1) / kAlignBytes * kAlignBytes;
}

std::size_t at(Value value) { return static_cast<std::size_t>(value.id); }

bool is_sharded(const Graph& graph, const Node& node) {
  const auto has_rows = [&](Value value) { return !graph.type(value).rows.none(); };
  return std::any_of(node.inputs.begin(), node.inputs.end(), has_rows) ||
         std::any_of(node.outputs.begin(), node.outputs.end(), has_rows);
}

// The phase number of every node: even for whole phases, odd for sharded ones, never before what a
// node reads.
std::vector<int> phase_numbers(const Graph& graph) {
  const auto nodes = graph.nodes();
  std::vector<int> phase(nodes.size(), 0);
  int last = 0;
  for (std::size_t index = 0; index < nodes.size(); ++index) {
    const Node& node = nodes[index];
    const bool sharded = is_sharded(graph, node);
    int number = 0;
    for (const Value input : node.inputs) {
      const std::int32_t producer = graph.info(input).producer;
      if (producer < 0) continue;
      const int produced = phase[static_cast<std::size_t>(producer)];
      // A sum is complete only when its phase is over; everything else can be read within the
      // phase.
      const bool sum = produced % 2 == 1 && graph.type(input).rows.none();
      number = std::max(number, sum ? produced + 1 : produced);
    }
    if (number % 2 != (sharded ? 1 : 0)) ++number;
    phase[index] = number;
    if (!node.op->updates_state()) last = std::max(last, number);
  }
  const int updates =
      last % 2 == 0 ? last + 2 : last + 1;  // whole, and after everything that reads
  for (std::size_t index = 0; index < nodes.size(); ++index) {
    if (nodes[index].op->updates_state()) {
      GRADFLIP_REQUIRE(!is_sharded(graph, nodes[index]),
                       "memory plan: an operation on rows cannot update state");
      phase[index] = updates;
    }
  }
  return phase;
}

struct Lifetime {
  int first_phase = -1, last_phase = -1;
  std::int32_t first_node = -1, last_node = -1;
};

// First fit by liveness: gives each block the lowest offset that no block alive at the same time
// uses.
class Arena {
 public:
  std::int64_t place(std::int64_t bytes, const Lifetime& life) {
    std::int64_t offset = 0;
    std::vector<Block> alive;
    for (const Block& block : blocks_) {
      if (block.life.first_node <= life.last_node && life.first_node <= block.life.last_node) {
        alive.push_back(block);
      }
    }
    std::sort(alive.begin(), alive.end(),
              [](const Block& a, const Block& b) { return a.offset < b.offset; });
    for (const Block& block : alive) {
      if (offset + bytes <= block.offset) break;
      offset = std::max(offset, block.offset + block.bytes);
    }
    blocks_.push_back({offset, bytes, life});
    high_water_ = std::max(high_water_, offset + bytes);
    return offset;
  }

  std::int64_t high_water() const { return high_water_; }

 private:
  struct Block {
    std::int64_t offset, bytes;
    Lifetime life;
  };
  std::vector<Block> blocks_;
  std::int64_t high_water_ = 0;
};

class Planner {
 public:
  Planner(const Graph& graph, const Parameters& parameters, const Context& context,
          std::span<const std::int64_t> max_rows)
      : graph_(graph),
        parameters_(parameters),
        context_(context),
        cut_(batch_cut(context)),
        max_rows_(max_rows) {}

  MemoryPlan plan() {
    phase_of_node_ = phase_numbers(graph_);
    plan_.placements.resize(static_cast<std::size_t>(graph_.num_values()));
    if (!cut_.whole()) plan_.sums_bytes = aligned(parameters_.flat_size() * 4);
    collect_phases();
    find_roots();
    find_lifetimes();
    for (std::int32_t id = 0; id < graph_.num_values(); ++id) place({id});
    plan_.worker_bytes = arena_.high_water();
    find_workspace();
    return std::move(plan_);
  }

 private:
  void collect_phases() {
    const int last = phase_of_node_.empty()
                         ? 0
                         : *std::max_element(phase_of_node_.begin(), phase_of_node_.end());
    plan_.phases.resize(static_cast<std::size_t>(last) + 1);
    for (std::size_t number = 0; number < plan_.phases.size(); ++number) {
      plan_.phases[number].sharded = number % 2 == 1;
    }
    for (std::size_t node = 0; node < phase_of_node_.size(); ++node) {
      plan_.phases[static_cast<std::size_t>(phase_of_node_[node])].nodes.push_back(
          static_cast<std::int32_t>(node));
    }
  }

  void find_roots() {
    for (std::int32_t id = 0; id < graph_.num_values(); ++id) {
      plan_.placements[static_cast<std::size_t>(id)].root = {id};
    }
    for (const Node& node : graph_.nodes()) {
      const auto view = node.op->view();
      if (!view) continue;
      plan_.placements[at(node.outputs[0])].root =
          plan_.placements[at(node.inputs[view->input])].root;
    }
  }

  void find_lifetimes() {
    lifetimes_.resize(plan_.placements.size());
    const auto nodes = graph_.nodes();
    for (std::size_t index = 0; index < nodes.size(); ++index) {
      const int phase = phase_of_node_[index];
      const auto touch = [&](Value value) {
        Lifetime& life = lifetimes_[at(plan_.placements[at(value)].root)];
        const auto node = static_cast<std::int32_t>(index);
        if (life.first_node < 0) life = {phase, phase, node, node};
        life.first_phase = std::min(life.first_phase, phase);
        life.last_phase = std::max(life.last_phase, phase);
        life.last_node = std::max(life.last_node, node);
      };
      for (const Value value : nodes[index].inputs) touch(value);
      for (const Value value : nodes[index].outputs) touch(value);
    }
  }

  std::int64_t capacity(Rows rows) const {
    std::int64_t total = 0;
    for (std::size_t segment = 0; segment < max_rows_.size(); ++segment) {
      if (rows.contains_segment(static_cast<int>(segment))) total += max_rows_[segment];
    }
    return piece_capacity(total, static_cast<std::int64_t>(max_rows_.size()), cut_);
  }

  void place(Value value) {
    Placement& placement = plan_.placements[at(value)];
    const ValueInfo& info = graph_.info(value);
    if (info.kind == ValueKind::kExternal) {
      placement.space = Space::kExternal;
    } else if (info.kind == ValueKind::kParameter) {
      require_known(info);
      placement.space = Space::kWeights;
      placement.bank = info.bank;
      placement.offset = parameters_[info.parameter].offset * 4;
    } else if (!(placement.root == value)) {
      // A view: pointers come from its root.
    } else if (info.type.rows.none()) {
      place_whole(value, info, placement);
    } else {
      place_rows(value, info, placement);
    }
  }

  void place_whole(Value value, const ValueInfo& info, Placement& placement) {
    const std::int64_t bytes = aligned(info.type.shape.size() * bytes_of(info.type.dtype));
    if (info.parameter >= 0) {
      require_known(info);
      placement.space = Space::kGradients;
      placement.offset = parameters_[info.parameter].offset * 4;
    } else {
      placement.space = Space::kShared;
      placement.offset = plan_.shared_bytes;
      plan_.shared_bytes += bytes;
    }
    const auto phase =
        static_cast<std::size_t>(phase_of_node_[static_cast<std::size_t>(info.producer)]);
    if (!plan_.phases[phase].sharded) return;
    GRADFLIP_REQUIRE(
        info.type.dtype == Dtype::kF32,
        message("memory plan: a sum over the batch must be f32, not ", info.type.text()));
    if (cut_.whole()) return;
    plan_.phases[phase].sums.push_back(value);
    if (info.parameter >= 0) {
      placement.sum_offset = placement.offset;
    } else {
      placement.sum_offset = plan_.sums_bytes;
      plan_.sums_bytes += bytes;
    }
  }

  void place_rows(Value value, const ValueInfo& info, Placement& placement) {
    const std::int64_t bytes =
        aligned(capacity(info.type.rows) * info.type.shape.size() * bytes_of(info.type.dtype));
    const Lifetime& life = lifetimes_[at(value)];
    if (life.first_phase == life.last_phase) {
      placement.space = Space::kWorker;
      placement.offset = arena_.place(bytes, life);
      return;
    }
    const std::int64_t images =
        std::accumulate(max_rows_.begin(), max_rows_.end(), std::int64_t{0});
    placement.space = Space::kBatch;
    placement.offset = plan_.shared_bytes;
    placement.stride = bytes;
    plan_.shared_bytes += bytes * sharding_of(images, cut_).pieces();
  }

  void find_workspace() {
    for (const Node& node : graph_.nodes()) {
      std::vector<ValueType> inputs;
      for (const Value input : node.inputs) inputs.push_back(graph_.type(input));
      const std::int64_t bytes = node.op->workspace_bytes(context_, inputs, most_rows(node));
      GRADFLIP_REQUIRE(bytes == 0 || node.op->divisible_work(inputs) == 0,
                       message("memory plan: ", node.op->name(),
                               " is shared by threads, and wants a workspace"));
      plan_.workspace_bytes = std::max(plan_.workspace_bytes, aligned(bytes));
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
  BatchCut cut_;
  std::span<const std::int64_t> max_rows_;
  MemoryPlan plan_;
  Arena arena_;
  std::vector<int> phase_of_node_;
  std::vector<Lifetime> lifetimes_;
};

}  // namespace

MemoryPlan plan_memory(const Graph& graph, const Parameters& parameters, const Context& context,
                       std::span<const std::int64_t> max_rows) {
  return Planner(graph, parameters, context, max_rows).plan();
}

}  // namespace gradflip
