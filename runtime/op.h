// One operation of the graph: its shape rule, its gradient rule and its kernel call. One level
// deep; leaves are final and live in runtime/ops, one file each. Forward, data gradient and filter
// gradient are operations of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/context.h"
#include "kernels/require.h"
#include "kernels/step_state.h"
#include "kernels/write.h"
#include "runtime/graph.h"
#include "runtime/tensor.h"

namespace gradflip {

// The rows of one segment that a launch covers: [begin, begin + count) of `total`.
struct SegmentRange {
  std::int64_t begin = 0, count = 0, total = 0;
};

// Everything a running operation may touch.
struct Launch {
  Context context;
  std::span<const TensorView> inputs, outputs;
  void* workspace = nullptr;                  // at least workspace_bytes(rows)
  Write write = Write::kOverwrite;            // for outputs that are sums over the batch
  std::span<const SegmentRange> segments;     // all segments of the batch
  std::int64_t work_begin = 0, work_end = 0;  // the share of divisible_work()
  GradientWatch watch;                        // its state is null in shards

  template <typename T>
  const T* in(std::size_t index) const {
    return static_cast<const T*>(inputs[index].data);
  }
  template <typename T>
  T* out(std::size_t index) const {
    return static_cast<T*>(outputs[index].data);
  }
};

// Calls kernel(ctx) with the context's own type, so that overload resolution picks the backend.
template <typename Kernel>
void dispatch(const Launch& launch, Kernel&& kernel) {
  std::visit(kernel, launch.context);
}

struct GradientRequest {
  Graph& graph;                     // gradient nodes are appended here
  const Node& node;                 // whose inputs' gradients are wanted
  std::span<const Value> doutputs;  // what arrives at each output; none() where nothing does
  std::span<const char> wanted;     // for each input: is its gradient wanted at all?
};

// Throws std::invalid_argument, naming the op, where a gradient arrives at an output for which
// there is no rule.
void require_no_gradient_at(const GradientRequest& request, std::size_t output);

// What autodiff makes of an operation on the way from a loss to a value.
enum class Gradient {
  kRule,      // asks Op::gradient
  kConstant,  // its outputs count as constants: stop_gradient, whole numbers, ...
  kMissing,   // throws: there is no rule, and without one the result would be wrong
};

// What an operation on rows makes of those of the whole batch, where it makes something without
// rows.
enum class Across {
  kSum,    // a sum: each launch makes the part of its rows, which Launch::write says how to write
  kStack,  // their own places in it: each launch writes those of its rows, where the output's
           // memory is that of all
};

// What one run takes at the least. Bytes: every input read once, every output written once.
struct OpCost {
  double flops = 0.0;          // two for each multiply-add of the formula
  double nonzero_flops = 0.0;  // without products with what is known to be zero, behind a pool
  double bytes = 0.0;
};

double bytes_of(std::span<const TensorView> views);

class Op {
 public:
  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  virtual ~Op() = default;

  virtual std::string_view name() const = 0;

  // The outputs' types for these inputs; throws std::invalid_argument where they do not fit.
  virtual std::vector<ValueType> infer(std::span<const ValueType> inputs) const = 0;

  virtual Gradient gradient_kind() const { return Gradient::kMissing; }
  // Whether this output depends on no input that a gradient could go to: all of them where the op
  // is Gradient::kConstant; of other ops those that a fusion took in beside what has a gradient,
  // such as schedules and counts. Autodiff takes it for a constant, and no gradient arrives there.
  virtual bool is_constant(int /*output*/) const { return gradient_kind() == Gradient::kConstant; }
  // Gradient::kRule: the gradient of each input, none() where not wanted or zero. Throws
  // std::invalid_argument where a wanted one is neither zero nor known.
  virtual std::vector<Value> gradient(const GradientRequest& request) const {
    return std::vector<Value>(request.node.inputs.size());
  }
  // Whether every gradient that it writes reaches Launch::watch, so that check_finite may
  // skip them.
  virtual bool watches_gradients() const { return false; }
  // How many of the outputs, the first ones, are losses that carry the weights of their terms in
  // them (fuse_losses). They end the graph: the gradient rule is asked for all of them together,
  // although nothing arrives. Such an op has no rule for gradients that do arrive, at any of its
  // outputs.
  virtual std::size_t num_losses() const { return 0; }

  // The output is a view of an input: same memory, no launch. Its rows are all of the input's, or
  // some neighbouring segments of them.
  struct View {
    std::size_t input = 0;
  };
  virtual std::optional<View> view() const { return std::nullopt; }

  // Of what it makes without rows from rows.
  virtual Across across() const { return Across::kSum; }

  // Changes its external inputs in place (weights, counters): runs after everything that reads
  // them.
  virtual bool updates_state() const { return false; }

  // Scratch that one launch needs where no input or output has more than `rows` rows.
  virtual std::int64_t workspace_bytes(const Context& /*context*/,
                                       std::span<const ValueType> /*inputs*/,
                                       std::int64_t /*rows*/) const {
    return 0;
  }

  // For operations outside the batch: how many independent pieces the work has, so that threads can
  // share it without changing a bit of the result; without workspace. 0: indivisible.
  virtual std::int64_t divisible_work(std::span<const ValueType> /*inputs*/) const { return 0; }

  // Of these inputs and outputs, whose data is not looked at. The default counts bytes only.
  virtual OpCost cost(std::span<const TensorView> inputs,
                      std::span<const TensorView> outputs) const;

  // Not called for views.
  virtual void run(const Launch& launch) const = 0;
};

// An operation that says what it was made with. The type of its attributes tells the operation from
// all others, so each has a type of its own, empty where there is nothing to say.
template <typename Attributes>
class OpWith : public Op {
 public:
  OpWith() = default;
  explicit OpWith(Attributes attributes) : attributes_(std::move(attributes)) {}

  const Attributes& attributes() const { return attributes_; }

 private:
  Attributes attributes_{};
};

// What an operation with such attributes was made with, for fusion; null for other operations.
template <typename Attributes>
const Attributes* attributes_of(const Op& op) {
  const auto* with = dynamic_cast<const OpWith<Attributes>*>(&op);
  return with == nullptr ? nullptr : &with->attributes();
}

template <typename Attributes>
bool is(const Op& op) {
  return attributes_of<Attributes>(op) != nullptr;
}

}  // namespace gradflip
