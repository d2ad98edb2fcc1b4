#include "runtime/ops/concat_rows.h"

#include "kernels/elementwise.h"
#include "runtime/op.h"
#include "runtime/ops/slice_rows.h"

namespace gradflip::ops {
namespace {

class ConcatRows final : public Op {
 public:
  std::string_view name() const override { return "concat_rows"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(!inputs.empty(), "concat_rows: nothing to join");
    ValueType joined{Dtype::kF32, inputs[0].shape, {}};
    for (const ValueType& input : inputs) {
      const std::uint32_t lowest = input.rows.mask & (~input.rows.mask + 1U);
      GRADFLIP_REQUIRE(input.dtype == Dtype::kF32 && input.shape == joined.shape &&
                           !input.rows.none() && lowest > joined.rows.mask,
                       message("concat_rows: ", input.text(), " does not follow ", joined.text()));
      joined.rows = joined.rows | input.rows;
    }
    return {joined};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    std::vector<Value> dinputs;
    for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
      const Rows rows = request.graph.type(request.node.inputs[i]).rows;
      dinputs.push_back(
          request.wanted[i] != 0 ? slice_rows(request.graph, request.doutputs[0], rows) : Value{});
    }
    return dinputs;
  }

  void run(const Launch& launch) const override {
    float* out = launch.out<float>(0);
    for (std::size_t i = 0; i < launch.inputs.size(); ++i) {
      const std::int64_t size = launch.inputs[i].size();
      dispatch(launch, [&](auto ctx) { scale(ctx, size, {}, launch.in<float>(i), out); });
      out += size;
    }
  }
};

}  // namespace

Value concat_rows(Graph& graph, std::span<const Value> values) {
  return graph.append_one(std::make_shared<const ConcatRows>(),
                          std::vector<Value>(values.begin(), values.end()));
}

}  // namespace gradflip::ops
