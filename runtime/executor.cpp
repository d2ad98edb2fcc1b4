#include "runtime/executor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include "kernels/require.h"
#include "runtime/op.h"
#include "runtime/sharding.h"

namespace gradflip {
namespace {

// Sums and updates are shared out in chunks of this many elements: 16 KiB.
constexpr std::int64_t kChunkElements = 4096;

std::int64_t total(std::span<const std::int64_t> rows) {
  return std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
}

// Where the current rows of an external value lie: it holds the whole batch of its one segment.
std::int64_t external_offset(const ValueType& type, std::span<const SegmentRange> segments) {
  for (std::size_t segment = 0; segment < segments.size(); ++segment) {
    if (type.rows.contains_segment(static_cast<int>(segment))) {
      return segments[segment].begin * type.shape.size() * bytes_of(type.dtype);
    }
  }
  return 0;
}

}  // namespace

Executor::Executor(const Graph& graph, const Parameters& parameters, const ParameterBlocks& blocks,
                   const Context& context, Workers& workers, std::span<const std::int64_t> max_rows)
    : Executor(graph, parameters, blocks, context, workers, max_rows,
               plan_memory(graph, parameters, context, max_rows)) {}

Executor::Executor(const Graph& graph, const Parameters& parameters, const ParameterBlocks& blocks,
                   const Context& context, Workers& workers, std::span<const std::int64_t> max_rows,
                   MemoryPlan plan)
    : graph_(graph),
      blocks_(blocks),
      context_(context),
      workers_(workers),
      max_rows_(max_rows.begin(), max_rows.end()),
      plan_(std::move(plan)),
      shared_(context, plan_.shared_bytes),
      pieces_(context, plan_.piece_bytes * plan_.sharding.pieces()),
      sums_(context, plan_.sums_bytes, plan_.sharding.shards),
      scratch_(context, workers.count(), plan_.sharding.shards, plan_.worker_bytes,
               plan_.workspace_bytes),
      arguments_(static_cast<std::size_t>(workers.count())),
      bound_(static_cast<std::size_t>(graph.num_values()), nullptr),
      results_(graph.nodes().size()),
      partners_(partner_segments(graph)),
      whole_batch_(max_rows.size()) {
  GRADFLIP_REQUIRE(max_rows.size() <= kMaxSegments,
                   message("executor: ", max_rows.size(), " segments"));
  GRADFLIP_REQUIRE(blocks.weights.bytes() == parameters.flat_size() * 4,
                   message("executor: the parameters take ", parameters.flat_size() * 4,
                           " bytes and their blocks have ", blocks.weights.bytes(),
                           "; declare all parameters before the blocks are made"));
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const ValueInfo& info = graph.info({id});
    GRADFLIP_REQUIRE(info.bank < blocks.num_banks(),
                     message("executor: ", info.name, " is of bank ", info.bank,
                             ", and the blocks have ", blocks.num_banks()));
  }
  watch_ = {blocks.notes.as<StepState>(), blocks.gradients.as<const float>(),
            every_gradient_is_a_sum(graph)};
  std::size_t most_values = 0;
  for (const Node& node : graph.nodes()) {
    most_values = std::max({most_values, node.inputs.size(), node.outputs.size()});
  }
  for (Arguments& arguments : arguments_) {
    arguments.inputs.reserve(most_values);
    arguments.outputs.reserve(most_values);
    arguments.segments.resize(max_rows.size());
  }
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const ValueInfo& info = graph.info({id});
    if (info.result && !info.type.rows.none()) {
      results_[static_cast<std::size_t>(info.producer)].push_back({id});
    }
  }
  for (const Phase& phase : plan_.phases) {
    std::vector<ShardSum> sums;
    for (const Value sum : phase.sums) {
      const Placement& placement = plan_.placements[sum.index()];
      if (placement.sum_offset < 0) continue;  // the batch stays whole
      sums.push_back({placement.sum_offset, graph.type(sum).shape.size(),
                      reinterpret_cast<float*>(memory_of(sum, {}, /*partial=*/false)),
                      placement.space == Space::kGradients});
    }
    chunks_.push_back(chunks_of(std::move(sums), kChunkElements));
  }
}

// Then the end of the sums is where every gradient is seen.
bool Executor::every_gradient_is_a_sum(const Graph& graph) const {
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const Placement& placement = plan_.placements[static_cast<std::size_t>(id)];
    if (placement.space == Space::kGradients && placement.sum_offset < 0) return false;
  }
  return true;
}

void Executor::bind(Value external, const void* memory) {
  GRADFLIP_REQUIRE(graph_.info(external).kind == ValueKind::kExternal,
                   message("executor: ", graph_.info(external).name, " is not an external value"));
  // State that operations update in place comes in through the same door as data that they only
  // read.
  bound_[external.index()] = static_cast<std::byte*>(const_cast<void*>(memory));
  ++bindings_;
}

void Executor::bind_result(Value result, void* memory) {
  const ValueInfo& info = graph_.info(result);
  GRADFLIP_REQUIRE(info.result && !info.type.rows.none(),
                   message("executor: ", info.name, " is not a result with rows"));
  bound_[result.index()] = static_cast<std::byte*>(memory);
  ++bindings_;
}

void Executor::require_runnable(std::span<const std::int64_t> rows) const {
  GRADFLIP_REQUIRE(rows.size() == max_rows_.size(), "executor: wrong number of segments");
  for (std::size_t segment = 0; segment < rows.size(); ++segment) {
    GRADFLIP_REQUIRE(rows[segment] >= 0 && rows[segment] <= max_rows_[segment],
                     message("executor: segment ", segment, " has ", rows[segment],
                             " rows; planned for ", max_rows_[segment]));
  }
  for (const auto& [from, to] : partners_) {
    const auto count = [&](int segment) { return rows[static_cast<std::size_t>(segment)]; };
    GRADFLIP_REQUIRE(count(from) == count(to),
                     message("executor: segment ", from, " has ", count(from), " rows and segment ",
                             to, " has ", count(to), "; the graph takes one for the other"));
  }
  for (std::int32_t id = 0; id < graph_.num_values(); ++id) {
    const ValueInfo& info = graph_.info({id});
    const bool outside =
        info.kind == ValueKind::kExternal || (info.result && !info.type.rows.none());
    GRADFLIP_REQUIRE(!outside || bound_[static_cast<std::size_t>(id)] != nullptr,
                     message("executor: ", info.name, " is not bound"));
  }
}

void Executor::run(std::span<const std::int64_t> rows) {
  require_runnable(rows);
  for (std::size_t segment = 0; segment < rows.size(); ++segment) {
    whole_batch_[segment] = {0, rows[segment], rows[segment]};
  }
  const std::int64_t images = total(rows);
  for (std::size_t number = 0; number < plan_.phases.size(); ++number) {
    const Phase& phase = plan_.phases[number];
    if (phase.sharded) {
      run_sharded(phase, rows);
      sums_.add_up(chunks_[number], sharding_of(images, plan_.cut).shards, watch_, workers_,
                   observer_);
    } else {
      run_whole(phase);
    }
  }
}

void Executor::run_sharded(const Phase& phase, std::span<const std::int64_t> rows) {
  if (phase.nodes.empty()) return;
  const Sharding sharding = sharding_of(total(rows), plan_.cut);
  workers_.for_each(sharding.shards, [&](int worker, std::int64_t shard) {
    std::vector<SegmentRange>& segments = arguments_[static_cast<std::size_t>(worker)].segments;
    for (std::int64_t micro = 0; micro < sharding.micro_batches; ++micro) {
      const std::int64_t piece = shard * sharding.micro_batches + micro;
      for (std::size_t segment = 0; segment < rows.size(); ++segment) {
        segments[segment] = piece_of(rows[segment], piece, sharding.pieces());
      }
      const GradientWatch watch = plan_.cut.whole() ? watch_ : GradientWatch{};
      const Position position{worker, &scratch_.of(worker, shard), shard, piece, segments, watch};
      const Write write = micro == 0 ? Write::kOverwrite : Write::kAccumulate;
      for (const std::int32_t node : phase.nodes) {
        launch(node, position, write, 0, 0);
        for (const Value result : results_[static_cast<std::size_t>(node)]) {
          copy_result(result, position);
        }
      }
    }
  });
}

Executor::Position Executor::whole_batch(int worker) const {
  return {worker, &scratch_.of(0, 0), 0, 0, whole_batch_, watch_};
}

void Executor::run_whole(const Phase& phase) {
  for (const std::int32_t index : phase.nodes) {
    const Node& node = graph_.nodes()[static_cast<std::size_t>(index)];
    std::array<ValueType, 2> types;  // of the first inputs, by which ops tell their divisible work
    std::size_t count = 0;
    for (; count < types.size() && count < node.inputs.size(); ++count) {
      types[count] = graph_.type(node.inputs[count]);
    }
    const std::int64_t work = node.op->divisible_work(std::span(types.data(), count));
    if (work == 0) {
      launch(index, whole_batch(0), Write::kOverwrite, 0, 0);
      continue;
    }
    if (plan_.cut.whole()) {
      launch(index, whole_batch(0), Write::kOverwrite, 0, work);
      continue;
    }
    workers_.for_each(
        (work + kChunkElements - 1) / kChunkElements, [&](int worker, std::int64_t chunk) {
          launch(index, whole_batch(worker), Write::kOverwrite, chunk * kChunkElements,
                 std::min(work, (chunk + 1) * kChunkElements));
        });
  }
}

void Executor::launch(std::int32_t index, const Position& position, Write write,
                      std::int64_t work_begin, std::int64_t work_end) {
  const Node& node = graph_.nodes()[static_cast<std::size_t>(index)];
  if (node.op->view()) return;
  auto& [inputs, outputs, segments] = arguments_[static_cast<std::size_t>(position.worker)];
  inputs.clear();
  outputs.clear();
  for (const Value value : node.inputs) inputs.push_back(view_of(value, position, false));
  for (const Value value : node.outputs) outputs.push_back(view_of(value, position, true));
  const bool accumulates = plan_.accumulating[static_cast<std::size_t>(index)] != 0;
  const Launch launch{.context = context_,
                      .inputs = inputs,
                      .outputs = outputs,
                      .workspace = position.scratch->workspace.data(),
                      .write = accumulates ? Write::kAccumulate : write,
                      .segments = position.segments,
                      .work_begin = work_begin,
                      .work_end = work_end,
                      .watch = position.watch};
  observed(observer_, position.worker, index, [&] { node.op->run(launch); });
}

void Executor::copy_result(Value result, const Position& position) const {
  const TensorView view = view_of(result, position, false);
  const std::int64_t row_bytes = view.shape.size() * bytes_of(view.dtype);
  const auto* from = static_cast<const std::byte*>(view.data);
  std::byte* to = bound_[result.index()];
  for (std::size_t segment = 0; segment < position.segments.size(); ++segment) {
    if (!graph_.type(result).rows.contains_segment(static_cast<int>(segment))) continue;
    const SegmentRange& range = position.segments[segment];
    copy_within(context_, to + range.begin * row_bytes, from, range.count * row_bytes);
    from += range.count * row_bytes;
    to += range.total * row_bytes;
  }
}

TensorView Executor::view_of(Value value, const Position& position, bool partial) const {
  const ValueType& type = graph_.type(value);
  const auto [root, rows] = plan_.placements[value.index()].shown;
  TensorView view{memory_of(root, position, partial), type.dtype, 1, type.shape};
  if (type.rows.none()) return view;

  view.rows = 0;
  std::int64_t before = 0;  // rows of the root ahead of this view's
  const Rows root_rows = graph_.type(root).rows;
  for (std::size_t index = 0; index < position.segments.size(); ++index) {
    const auto segment = static_cast<int>(index);
    const std::int64_t count = position.segments[index].count;
    if (rows.contains_segment(segment)) {
      view.rows += count;
    } else if (view.rows == 0 && root_rows.contains_segment(segment) &&
               segment < std::countr_zero(rows.mask)) {
      before += count;
    }
  }
  view.data =
      static_cast<std::byte*>(view.data) + before * type.shape.size() * bytes_of(type.dtype);
  return view;
}

std::byte* Executor::memory_of(Value root, const Position& position, bool partial) const {
  const Placement& placement = plan_.placements[root.index()];
  if (partial && placement.sum_offset >= 0) {
    return sums_.part(position.shard, placement.sum_offset);
  }
  switch (placement.space) {
    case Space::kExternal:
      return bound_[root.index()] + external_offset(graph_.type(root), position.segments);
    case Space::kWeights:
      return blocks_.bank(placement.bank).data() + placement.offset;
    case Space::kGradients:
      return blocks_.gradients.data() + placement.offset;
    case Space::kShared:
      return shared_.data() + placement.offset;
    case Space::kWorker:
      return position.scratch->arena.data() + placement.offset;
    case Space::kPiece:
      break;
  }
  return pieces_.data() + position.piece * plan_.piece_bytes + placement.offset;
}

void Executor::read(Value value, void* to, std::int64_t bytes) const {
  const ValueType& type = graph_.type(value);
  GRADFLIP_REQUIRE(type.rows.none() && bytes == type.shape.size() * bytes_of(type.dtype),
                   message("executor: cannot read ", bytes, " bytes of ", type.text()));
  const Value root = plan_.placements[value.index()].shown.root;
  const Placement& placement = plan_.placements[root.index()];
  const bool part = plan_.placements[value.index()].part;
  GRADFLIP_REQUIRE(!part && (placement.space != Space::kShared || placement.kept),
                   message("executor: value ", value.id, " (", graph_.info(value).name,
                           ") is not kept to the end of a step; mark it as a result"));
  copy_to_host(context_, to, memory_of(root, {}, false), bytes);
}

float Executor::read_scalar(Value value) const {
  float scalar = 0.0F;
  read(value, &scalar, sizeof(scalar));
  return scalar;
}

}  // namespace gradflip
