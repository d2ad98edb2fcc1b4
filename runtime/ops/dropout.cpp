#include "runtime/ops/dropout.h"

#include "kernels/dropout.h"

namespace gradflip::ops {
namespace {

static_assert(kMaxDropoutRuns >= kMaxSegments);

// Inputs: x, step. Linear in x, so that its gradient is the same of what arrives.
class DropoutOp final : public OpWith<DropoutAttributes> {
 public:
  // rows: of x.
  DropoutOp(const DropoutAttributes& attributes, Rows rows) : OpWith(attributes), rows_(rows) {}

  std::string_view name() const override { return "dropout"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const ValueType& x = inputs[0];
    GRADFLIP_REQUIRE(
        x.dtype == Dtype::kF32 && !x.rows.none() && x.shape.size() > 0 &&
            (!attributes().channels || x.shape.rank() > 0) &&
            inputs[1] == (ValueType{Dtype::kI64, {}, {}}),
        message("dropout: ", x.text(), ", step ", inputs[1].text(), "; expected f32 rows",
                attributes().channels ? " x (..., C)" : "", " and an i64 scalar"));
    require_valid(kernel_of(x.shape), {});
    return {x};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {dropout(request.graph, request.doutputs[0], request.node.inputs[1], attributes()), {}};
  }

  void run(const Launch& launch) const override {
    DropoutRows rows;
    for (std::size_t segment = 0; segment < launch.segments.size(); ++segment) {
      if (!rows_.contains_segment(static_cast<int>(segment))) continue;
      const SegmentRange& range = launch.segments[segment];
      rows.run[rows.runs++] = {static_cast<std::uint32_t>(segment), range.begin, range.count};
    }
    dispatch(launch, [&](auto ctx) {
      gradflip::dropout(ctx, kernel_of(launch.inputs[0].shape), rows, launch.in<std::int64_t>(1),
                        launch.in<float>(0), launch.out<float>(0));
    });
  }

 private:
  Dropout kernel_of(const Shape& shape) const {
    const std::int64_t units = attributes().channels ? shape[shape.rank() - 1] : shape.size();
    return {attributes().seed, attributes().stream, attributes().probability, units,
            shape.size() / units};
  }

  Rows rows_;
};

}  // namespace

Value dropout(Graph& graph, Value x, Value step, const DropoutAttributes& attributes) {
  return graph.append_one(std::make_shared<const DropoutOp>(attributes, graph.type(x).rows),
                          {x, step});
}

}  // namespace gradflip::ops
