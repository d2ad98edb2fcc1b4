#include "runtime/ops/stack_rows.h"

#include <bit>

#include "kernels/elementwise.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// The rows of the one segment that a launch covers; there must be `rows` in the batch.
const SegmentRange& range_of(const Launch& launch, Rows segment, std::int64_t rows,
                             std::string_view op) {
  const int index = std::countr_zero(segment.mask);
  const SegmentRange& range = launch.segments[static_cast<std::size_t>(index)];
  GRADFLIP_REQUIRE(range.total == rows, message(op, ": segment ", index, " has ", range.total,
                                                " rows; the graph is for ", rows));
  return range;
}

class RowsOf final : public Op {
 public:
  RowsOf(Rows segment, const Shape& row) : segment_(segment), row_(row) {}

  std::string_view name() const override { return "rows_of"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(
        std::popcount(segment_.mask) == 1 && inputs[0].rows.none() &&
            inputs[0].dtype == Dtype::kF32 && inputs[0].shape.rank() == 2 &&
            inputs[0].shape[1] == row_.size(),
        message("rows_of: ", inputs[0].text(), " as rows x ", row_.text(), " of ",
                std::popcount(segment_.mask), " segments; expected f32 (rows, D) as rows of one"));
    return {{Dtype::kF32, row_, segment_}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    const std::int64_t rows = request.graph.type(request.node.inputs[0]).shape[0];
    return {stack_rows(request.graph, request.doutputs[0], rows)};
  }

  void run(const Launch& launch) const override {
    const SegmentRange& range = range_of(launch, segment_, launch.inputs[0].shape[0], name());
    dispatch(launch, [&](auto ctx) {
      scale(ctx, range.count * row_.size(), {}, launch.in<float>(0) + range.begin * row_.size(),
            launch.out<float>(0));
    });
  }

 private:
  Rows segment_;
  Shape row_;
};

class StackRows final : public Op {
 public:
  StackRows(Rows segment, std::int64_t rows) : segment_(segment), rows_(rows) {}

  std::string_view name() const override { return "stack_rows"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }
  Across across() const override { return Across::kStack; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(std::popcount(segment_.mask) == 1 && inputs[0].dtype == Dtype::kF32,
                     message("stack_rows: ", inputs[0].text(), " of ", std::popcount(segment_.mask),
                             " segments; expected f32 of one"));
    return {{Dtype::kF32, {rows_, inputs[0].shape.size()}, {}}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    const Shape& row = request.graph.type(request.node.inputs[0]).shape;
    return {request.graph.append_one(std::make_shared<const RowsOf>(segment_, row),
                                     {request.doutputs[0]})};
  }

  void run(const Launch& launch) const override {
    const SegmentRange& range = range_of(launch, segment_, rows_, name());
    const std::int64_t D = launch.inputs[0].shape.size();
    dispatch(launch, [&](auto ctx) {
      scale(ctx, range.count * D, {}, launch.in<float>(0), launch.out<float>(0) + range.begin * D);
    });
  }

 private:
  Rows segment_;
  std::int64_t rows_;
};

}  // namespace

Value stack_rows(Graph& graph, Value x, std::int64_t rows) {
  return graph.append_one(std::make_shared<const StackRows>(graph.type(x).rows, rows), {x});
}

Value rows_of(Graph& graph, Value stacked, Rows segment) {
  const Shape& shape = graph.type(stacked).shape;
  const Shape row{shape.rank() == 2 ? shape[1] : 0};
  return graph.append_one(std::make_shared<const RowsOf>(segment, row), {stacked});
}

}  // namespace gradflip::ops
