// Walks a memory plan as the executor does and keeps count of whose bytes they are: independent of
// how lifetimes were found. Nothing is computed.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/memory_plan.h"
#include "runtime/op.h"

namespace gradflip {

class MemorySimulation {
 public:
  // max_rows: as the plan was made for.
  MemorySimulation(const Graph& graph, const MemoryPlan& plan, std::vector<std::int64_t> max_rows)
      : graph_(graph), plan_(plan), max_rows_(std::move(max_rows)) {}

  // Empty where every node finds what it reads, and so does who reads values that are kept after a
  // step; otherwise the first that does not.
  std::string first_conflict() {
    shared_.assign(lines(plan_.shared_bytes), kNobody);
    pieces_.assign(lines(plan_.piece_bytes), kNobody);
    worker_.assign(lines(plan_.worker_bytes), kNobody);
    for (const Phase& phase : plan_.phases) {
      if (phase.sharded && !plan_.cut.whole()) {
        run_cut(phase);
      } else {
        for (const std::int32_t node : phase.nodes) run(node);
      }
    }
    for (std::int32_t id = 0; id < graph_.num_values(); ++id) {
      const Placement& placement = placement_of({id});
      if (placement.kept && placement.shown.root == Value{id}) require({id}, "the end");
    }
    return conflict_;
  }

 private:
  static constexpr std::int32_t kNobody = -1;
  using Lines = std::vector<std::int32_t>;  // the value that owns them, of 64 bytes each

  static std::size_t lines(std::int64_t bytes) { return static_cast<std::size_t>(bytes + 63) / 64; }

  const Placement& placement_of(Value value) const {
    return plan_.placements[static_cast<std::size_t>(value.id)];
  }
  bool in_arena(Value root) const {
    const Space space = placement_of(root).space;
    return space == Space::kShared || space == Space::kWorker || space == Space::kPiece;
  }
  Lines& lines_of(Value root) {
    const Space space = placement_of(root).space;
    return space == Space::kShared ? shared_ : space == Space::kPiece ? pieces_ : worker_;
  }

  // Of the largest piece.
  std::int64_t bytes_of_value(Value value) const {
    const ValueType& type = graph_.type(value);
    std::int64_t rows = type.rows.none() ? 1 : 0;
    const std::int64_t pieces = plan_.sharding.pieces();
    for (std::int64_t piece = 0; piece < pieces && !type.rows.none(); ++piece) {
      std::int64_t count = 0;
      for (std::size_t segment = 0; segment < max_rows_.size(); ++segment) {
        if (!type.rows.contains_segment(static_cast<int>(segment))) continue;
        count += plan_.cut.whole() ? max_rows_[segment]
                                   : piece_of(max_rows_[segment], piece, pieces).count;
      }
      rows = std::max(rows, count);
    }
    return rows * type.shape.size() * bytes_of(type.dtype);
  }

  template <typename Visit>
  void for_each_line(Value root, const Visit& visit) {
    Lines& memory = lines_of(root);
    const auto begin = static_cast<std::size_t>(placement_of(root).offset / 64);
    const std::size_t end = begin + lines(bytes_of_value(root));
    if (end > memory.size()) return fail(root, "its arena, which is too small");
    for (std::size_t line = begin; line < end; ++line) visit(memory[line]);
  }

  void claim(Value value) {
    const Value root = placement_of(value).shown.root;
    if (!in_arena(root)) return;
    for_each_line(root, [&](std::int32_t& owner) { owner = root.id; });
  }
  void require(Value value, const std::string& reader) {
    const Value root = placement_of(value).shown.root;
    if (!in_arena(root)) return;
    for_each_line(root, [&](std::int32_t owner) {
      if (owner != root.id) fail(root, reader + ", for value " + std::to_string(owner));
    });
  }
  void fail(Value value, const std::string& reader) {
    if (conflict_.empty()) {
      conflict_ = "value " + std::to_string(value.id) + " is not there for " + reader;
    }
  }

  void run(std::int32_t index) {
    const Node& node = graph_.nodes()[static_cast<std::size_t>(index)];
    if (node.op->view()) return;
    const bool accumulates = plan_.accumulating[static_cast<std::size_t>(index)] != 0;
    for (const Value output : node.outputs) {
      if (accumulates && graph_.type(output).rows.none()) require(output, "what adds to it");
      claim(output);
    }
    // After the outputs were written: none of them lies in an input's place.
    const std::string reader = std::string(node.op->name()) + " " + std::to_string(index);
    for (const Value input : node.inputs) require(input, reader);
    for (const Value output : node.outputs) require(output, reader);
  }

  // Threads stand at any nodes of the phase, in any pieces: what has no rows has to be there all
  // the time, and stacks may begin at once. Then come the totals.
  void run_cut(const Phase& phase) {
    worker_.assign(worker_.size(), kNobody);
    const auto nodes = graph_.nodes();
    const auto of_rows = [&](Value value) { return !graph_.type(value).rows.none(); };
    for (const std::int32_t index : phase.nodes) {
      const Node& node = nodes[static_cast<std::size_t>(index)];
      if (node.op->across() != Across::kStack) continue;
      for (const Value output : node.outputs) claim(output);
    }
    for (const std::int32_t index : phase.nodes) {
      const Node& node = nodes[static_cast<std::size_t>(index)];
      if (node.op->view()) continue;
      const std::string reader = std::string(node.op->name()) + " " + std::to_string(index);
      for (const Value output : node.outputs) {
        if (of_rows(output)) claim(output);
      }
      for (const Value input : node.inputs) require(input, reader);
      for (const Value output : node.outputs) {
        if (of_rows(output) || node.op->across() == Across::kStack) require(output, reader);
      }
    }
    for (const Value sum : phase.sums) claim(sum);
    for (const Value sum : phase.sums) require(sum, "the end of its phase");
    worker_.assign(worker_.size(), kNobody);
  }

  const Graph& graph_;
  const MemoryPlan& plan_;
  std::vector<std::int64_t> max_rows_;
  Lines shared_, pieces_, worker_;
  std::string conflict_;
};

}  // namespace gradflip
