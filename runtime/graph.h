// The computation as data: values with known types, and nodes that make values from values.
// Append-only, hence already in topological order. Building a graph runs no kernel and owns no
// tensor memory.
//
// A step's images come in segments (for a DANN: source, then target). A value either has rows, one
// for each image of a set of segments in ascending order, or has none and is one tensor. What a
// node that reads rows writes without rows is a sum over the batch: its readers see the total.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/shape.h"

namespace gradflip {

class Op;

// A set of the batch's segments.
struct Rows {
  std::uint32_t mask = 0;

  bool none() const { return mask == 0; }
  bool contains(Rows other) const { return (mask & other.mask) == other.mask; }
  bool contains_segment(int segment) const { return ((mask >> segment) & 1U) != 0; }
  std::string text() const;  // "rows{0,2}": of the segments 0 and 2

  friend bool operator==(Rows a, Rows b) = default;
  friend Rows operator|(Rows a, Rows b) { return {a.mask | b.mask}; }
};

inline constexpr int kMaxSegments = 8;
constexpr Rows segment_rows(int segment) { return {1U << segment}; }

struct ValueType {
  Dtype dtype = Dtype::kF32;
  Shape shape;  // of one row, where there are rows
  Rows rows;

  std::string text() const;  // "f32 rows x (28, 28, 3)"
  friend bool operator==(const ValueType& a, const ValueType& b) = default;
};

struct Value {
  std::int32_t id = -1;

  bool none() const { return id < 0; }
  std::size_t index() const { return static_cast<std::size_t>(id); }  // into lists by value id
  friend bool operator==(Value a, Value b) = default;
};

enum class ValueKind {
  kComputed,   // a node's output
  kParameter,  // a slice of the flat weights, or of a copy of them
  kExternal,   // memory that the graph's user binds: data sets, the step counter, optimizer state
};

struct ValueInfo {
  ValueKind kind = ValueKind::kComputed;
  ValueType type;
  std::int32_t parameter =
      -1;        // kParameter: its index; kComputed: the parameter whose gradient this is, or -1
  int bank = 0;  // kParameter: ParameterBlocks::bank that it is of
  std::int32_t producer = -1;  // kComputed: the node
  std::string name;
  bool result = false;  // leaves the graph (mark_result)
};

struct Node {
  std::shared_ptr<const Op> op;
  std::vector<Value> inputs, outputs;
};

class Graph {
 public:
  // With rows, it holds the whole batch of one segment; throws std::invalid_argument for more
  // segments.
  Value external(std::string name, ValueType type);
  // bank: 0 for the weights; further banks are copies of them, which no gradient has.
  Value parameter(std::int32_t index, std::string name, Shape shape, int bank = 0);

  // Appends a node; its op checks the inputs and tells the outputs' types. Throws
  // std::invalid_argument.
  std::vector<Value> append(std::shared_ptr<const Op> op, std::vector<Value> inputs);
  // The same for an op with one output.
  Value append_one(std::shared_ptr<const Op> op, std::vector<Value> inputs);

  // Declares that `value` is the gradient of the parameter with this index: it will live in the
  // flat gradients. Throws std::invalid_argument unless can_be_gradient(value).
  void mark_gradient(Value value, std::int32_t parameter);

  // Whether a value can lie there: computed, f32, without rows, no view of another value, and not
  // the gradient of a parameter yet. Where it is not, a copy (ops/copy.h) is.
  bool can_be_gradient(Value value) const;

  // Declares that `value` leaves the graph; rewrites keep it. With rows, every run copies those of
  // the whole batch to where Executor::bind_result says; without, Executor::read finds it after a
  // run. Throws std::invalid_argument unless a node computes it.
  void mark_result(Value value);

  const ValueInfo& info(Value value) const;
  const ValueType& type(Value value) const { return info(value).type; }
  std::span<const Node> nodes() const { return nodes_; }
  std::int32_t num_values() const { return static_cast<std::int32_t>(values_.size()); }

  // Nodes whose op has this name, for tests of structure.
  std::int64_t count(std::string_view op_name) const;
  // A text form, one node a line.
  std::string text() const;

 private:
  std::vector<ValueInfo> values_;
  std::vector<Node> nodes_;
};

}  // namespace gradflip
