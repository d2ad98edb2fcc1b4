#include "runtime/ops/slice_rows.h"

#include "kernels/elementwise.h"

namespace gradflip::ops {
namespace {

// The segments of `rows` must be neighbours among those of `all`, or the slice would not be one
// block of memory.
bool contiguous_in(Rows rows, Rows all) {
  bool started = false, ended = false;
  for (int segment = 0; segment < kMaxSegments; ++segment) {
    if (!all.contains_segment(segment)) continue;
    if (rows.contains_segment(segment)) {
      if (ended) return false;
      started = true;
    } else {
      ended = started;
    }
  }
  return started;
}

class PlaceRows final : public OpWith<PlaceRowsAttributes> {
 public:
  PlaceRows(Rows rows, Rows placed) : rows_(rows), placed_(placed) {}

  std::string_view name() const override { return "place_rows"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(rows_.contains(inputs[0].rows) && contiguous_in(inputs[0].rows, rows_) &&
                         inputs[0].dtype == Dtype::kF32,
                     "place_rows: x's segments are not neighbours among the wanted ones");
    return {{Dtype::kF32, inputs[0].shape, rows_}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {slice_rows(request.graph, request.doutputs[0],
                       request.graph.type(request.node.inputs[0]).rows)};
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    const TensorView& y = launch.outputs[0];
    std::int64_t before = 0;  // rows of y ahead of x's; x's own segments stay in order
    bool found = false;
    for (std::size_t segment = 0; segment < launch.segments.size() && !found; ++segment) {
      if (!rows_.contains_segment(static_cast<int>(segment))) continue;
      found = placed_.contains_segment(static_cast<int>(segment));
      if (!found) before += launch.segments[segment].count;
    }
    const std::int64_t row = x.shape.size();
    dispatch(launch, [&](auto ctx) {
      auto* out = launch.out<float>(0);
      fill(ctx, before * row, 0.0F, out);
      scale(ctx, x.rows * row, {}, launch.in<float>(0), out + before * row);
      fill(ctx, (y.rows - before - x.rows) * row, 0.0F, out + (before + x.rows) * row);
    });
  }

 private:
  Rows rows_, placed_;
};

class SliceRows final : public OpWith<SliceRowsAttributes> {
 public:
  explicit SliceRows(Rows rows) : rows_(rows) {}

  std::string_view name() const override { return "slice_rows"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }
  std::optional<View> view() const override { return View{0}; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].rows.contains(rows_) && contiguous_in(rows_, inputs[0].rows),
                     "slice_rows: not neighbouring segments of x");
    return {{inputs[0].dtype, inputs[0].shape, rows_}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {place_rows(request.graph, request.doutputs[0],
                       request.graph.type(request.node.inputs[0]).rows)};
  }

  void run(const Launch& /*launch*/) const override {}

 private:
  Rows rows_;
};

}  // namespace

Value slice_rows(Graph& graph, Value x, Rows rows) {
  return graph.append_one(std::make_shared<const SliceRows>(rows), {x});
}

Value place_rows(Graph& graph, Value x, Rows rows) {
  return graph.append_one(std::make_shared<const PlaceRows>(rows, graph.type(x).rows), {x});
}

}  // namespace gradflip::ops
