// Random graphs with everything that a memory plan, a rewrite or the executor can meet: rows of one
// segment and of several, views, partners, sums over the batch and stacks of its rows in the middle
// of the graph and what reads them in later phases, parameters that several nodes read, results,
// losses and their gradients.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/bias.h"
#include "kernels/gemm.h"
#include "kernels/philox.h"
#include "kernels/require.h"
#include "runtime/autodiff.h"
#include "runtime/graph.h"
#include "runtime/op.h"
#include "runtime/ops/as_segment.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/copy.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/stack_rows.h"
#include "runtime/ops/stop_gradient.h"
#include "runtime/parameters.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {

// 0.01 * a^T b (A, B), or 0.01 * the sum of a's rows (A): sums over the batch that count as
// constants.
class SumOfProducts final : public Op {
 public:
  std::string_view name() const override { return "sum_of_products"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, {inputs[0].shape[0], inputs[1].shape[0]}, {}}};
  }
  void run(const Launch& launch) const override {
    const TensorView &a = launch.inputs[0], &b = launch.inputs[1];
    dispatch(launch, [&](auto ctx) {
      gemm(ctx, {.M = a.shape[0], .N = b.shape[0], .K = a.rows, .transpose_a = true}, {0.01F},
           launch.in<float>(0), launch.in<float>(1), launch.write, launch.out<float>(0));
    });
  }
};

class SumOfRows final : public Op {
 public:
  std::string_view name() const override { return "sum_of_rows"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, inputs[0].shape, {}}};
  }
  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    dispatch(launch, [&](auto ctx) {
      bias_backward(ctx, x.rows, x.shape[0], launch.in<float>(0), launch.write,
                    launch.out<float>(0));
    });
  }
};

class RandomGraph {
 public:
  // About `nodes` nodes, then losses and the gradients of all parameters that they depend on.
  // rows: of each segment in every run; the first two have equal numbers.
  RandomGraph(std::uint32_t seed, const std::vector<std::int64_t>& rows, int nodes = 40)
      : rows_of_segment_(rows), seed_(seed) {
    lambda_ = graph.external("lambda", {Dtype::kF32, {}, {}});
    for (int segment = 0; segment < kSegments; ++segment) {
      for (const std::int64_t width : kWidths) {
        const ValueType type{Dtype::kF32, {width}, segment_rows(segment)};
        inputs_.push_back(graph.external(message("x", segment, "_", width), type));
      }
    }
    rows_ = inputs_;
    for (int node = 0; node < nodes; ++node) append_node();
    append_losses();
    for (std::uint32_t count = 1 + below(4); count > 0 && rows_.size() > inputs_.size(); --count) {
      results.push_back(rows_[inputs_.size() + below(rows_.size() - inputs_.size())]);
      graph.mark_result(results.back());
    }
    if (!sums_.empty()) graph.mark_result(one_of(sums_));
  }

  static constexpr int kSegments = 3;

  Graph graph;
  Parameters parameters;
  std::vector<Value> losses, gradients;
  std::vector<Value> results;  // with rows

  void bind(GraphRunner& runner) const {
    bind_to(runner,
            [](std::int64_t size, std::uint32_t seed) { return random_floats(size, seed); });
  }
  // The same value everywhere.
  void bind(GraphRunner& runner, float value) const {
    bind_to(runner, [value](std::int64_t size, std::uint32_t /*seed*/) {
      return std::vector<float>(static_cast<std::size_t>(size), value);
    });
  }

 private:
  // A square of the larger one takes more than kKeptBytes.
  static constexpr std::array<std::int64_t, 2> kWidths{3, 40};

  template <typename Contents>
  void bind_to(GraphRunner& runner, const Contents& contents) const {
    std::vector<float> weights = contents(parameters.flat_size(), seed_ + 1);
    for (float& weight : weights) weight *= 0.25F;
    runner.set_weights(weights);
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const std::int64_t size = rows_of_segment_[i / kWidths.size()] * kWidths[i % kWidths.size()];
      runner.bind(inputs_[i], contents(size, seed_ * 8 + static_cast<std::uint32_t>(i)));
    }
    runner.bind(lambda_, contents(1, 7));
  }

  std::uint32_t below(std::size_t bound) {
    return philox4x32({next_++, 0, 0, 0}, {seed_, 0})[0] % static_cast<std::uint32_t>(bound);
  }

  Value one_of(const std::vector<Value>& values) { return values[below(values.size())]; }
  // The later ones more often, so that graphs become deep.
  Value recent(const std::vector<Value>& values) {
    return below(2) == 0 ? values.back() : one_of(values);
  }

  template <typename Fits>
  Value one_that(const std::vector<Value>& values, const Fits& fits) {
    std::vector<Value> fitting;
    std::copy_if(values.begin(), values.end(), std::back_inserter(fitting),
                 [&](Value value) { return fits(graph.type(value)); });
    return fitting.empty() ? Value{} : one_of(fitting);
  }
  Value like(const std::vector<Value>& values, Value model) {
    return one_that(values, [&](const ValueType& type) { return type == graph.type(model); });
  }

  // A parameter of this shape, new or old, or a sum, which makes its reader wait for a phase.
  Value whole(const Shape& shape) {
    const auto fits = [&](const ValueType& type) { return type.shape == shape; };
    if (below(3) == 0) {
      const Value old = one_that(parameter_values_, fits);
      if (!old.none()) return old;
    } else {
      const auto last = std::find_if(sums_.rbegin(), sums_.rend(),
                                     [&](Value sum) { return fits(graph.type(sum)); });
      if (last != sums_.rend()) return *last;
    }
    const std::string name = message("p", parameters.list().size());
    const std::int32_t index = parameters.add(name, shape, FileLayout::same(shape), Uniform{1.0F});
    parameter_values_.push_back(graph.parameter(index, name, shape));
    return parameter_values_.back();
  }

  void append_node() {
    const std::uint32_t kind = below(18);
    if (kind > 15) {
      append_partners(kind);
    } else if (kind < 4) {
      append_sum(kind);
    } else if (kind < 8) {
      append_of_segments(kind);
    } else {
      append_of_rows(kind);
    }
  }

  void append_sum(std::uint32_t kind) {
    const Value a = recent(rows_);
    if (kind == 0) {
      sums_.push_back(graph.append_one(std::make_shared<const SumOfRows>(), {a}));
    } else if (kind < 3 || sums_.empty()) {
      const Value b =
          one_that(rows_, [&](const ValueType& type) { return type.rows == graph.type(a).rows; });
      sums_.push_back(graph.append_one(std::make_shared<const SumOfProducts>(), {a, b}));
    } else {
      const Value sum = recent(sums_);
      sums_.push_back(below(2) == 0 ? ops::add(graph, sum, like(sums_, sum))
                                    : ops::relu(graph, sum));
    }
  }

  void append_of_segments(std::uint32_t kind) {
    const Value a = recent(rows_);
    const Rows all{(1U << kSegments) - 1U};
    const Rows rows = graph.type(a).rows;
    if (kind == 4) {
      // Joined with what has the next segment, which is the third part of all pairs.
      const Value b = one_that(rows_, [&](const ValueType& type) {
        return type.shape == graph.type(a).shape && (type.rows.mask & rows.mask) == 0;
      });
      if (b.none()) return;
      std::array<Value, 2> both{a, b};
      if (graph.type(b).rows.mask < rows.mask) std::swap(both[0], both[1]);
      if (graph.type(both[0]).rows.mask >= lowest(graph.type(both[1]).rows)) return;
      rows_.push_back(ops::concat_rows(graph, both));
    } else if (kind == 5) {
      if (rows == Rows{5}) return;  // its segments are not neighbours
      rows_.push_back(ops::place_rows(graph, a, all));
    } else {
      const Rows wanted = segment_rows(static_cast<int>(below(kSegments)));
      if (rows.contains(wanted)) rows_.push_back(ops::slice_rows(graph, a, wanted));
    }
  }

  // Rows of one segment for another's, or for what has no rows and back.
  void append_partners(std::uint32_t kind) {
    const Value a = recent(rows_);
    const Rows rows = graph.type(a).rows;
    if (kind == 16) {
      if (rows == segment_rows(0)) rows_.push_back(ops::as_segment(graph, a, segment_rows(1)));
      if (rows == segment_rows(1)) rows_.push_back(ops::as_segment(graph, a, segment_rows(0)));
    } else if (lowest(rows) == rows.mask) {
      const auto segment = static_cast<std::size_t>(std::countr_zero(rows.mask));
      const Value stacked = ops::stack_rows(graph, a, rows_of_segment_[segment]);
      rows_.push_back(ops::rows_of(graph, stacked, rows));
      if (below(2) == 0) products_.push_back(ops::linear(graph, a, stacked));
    }
  }

  void append_of_rows(std::uint32_t kind) {
    const Value a = recent(rows_);
    const std::int64_t width = graph.type(a).shape[0];
    switch (kind) {
      case 8:
        return rows_.push_back(ops::multiply(graph, a, like(rows_, a)));
      case 9:
      case 10:
        return rows_.push_back(ops::add(graph, a, like(rows_, a)));
      case 11:
        return rows_.push_back(ops::relu(graph, a));
      case 12:
        return rows_.push_back(below(3) == 0 ? ops::stop_gradient(graph, a)
                                             : ops::grl(graph, a, lambda_));
      case 13:
        return rows_.push_back(ops::bias(graph, a, whole({width})));
      default:
        return rows_.push_back(
            ops::linear(graph, a, whole({kWidths[below(kWidths.size())], width})));
    }
  }

  void append_losses() {
    for (std::uint32_t count = 1 + below(3); count > 0; --count) {
      losses.push_back(sum_all(graph, recent(rows_), 0.1F));
    }
    for (const Value product : products_) {
      losses.push_back(sum_all(graph, product, 0.01F));
    }
    if (parameter_values_.empty()) return;
    gradients = gradients_of(graph, losses, parameter_values_);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (gradients[i].none()) continue;
      if (!graph.can_be_gradient(gradients[i])) gradients[i] = ops::copy(graph, gradients[i]);
      graph.mark_gradient(gradients[i], graph.info(parameter_values_[i]).parameter);
    }
  }

  static std::uint32_t lowest(Rows rows) { return rows.mask & (~rows.mask + 1U); }

  std::vector<std::int64_t> rows_of_segment_;
  std::uint32_t seed_, next_ = 0;
  Value lambda_;
  // products_ have as many columns as a batch has rows: too wide to go on with.
  std::vector<Value> inputs_, rows_, products_, sums_, parameter_values_;
};

}  // namespace gradflip
