#include "runtime/ops/as_segment.h"

#include <bit>

#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class AsSegment final : public Op {
 public:
  explicit AsSegment(Rows to) : to_(to) {}

  std::string_view name() const override { return "as_segment"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }
  std::optional<View> view() const override { return View{0}; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(std::popcount(inputs[0].rows.mask) == 1 && std::popcount(to_.mask) == 1,
                     message("as_segment: ", std::popcount(inputs[0].rows.mask), " segments as ",
                             std::popcount(to_.mask), "; expected one as one"));
    return {{inputs[0].dtype, inputs[0].shape, to_}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {as_segment(request.graph, request.doutputs[0],
                       request.graph.type(request.node.inputs[0]).rows)};
  }

  void run(const Launch& /*launch*/) const override {}

 private:
  Rows to_;
};

}  // namespace

Value as_segment(Graph& graph, Value x, Rows to) {
  return graph.append_one(std::make_shared<const AsSegment>(to), {x});
}

}  // namespace gradflip::ops
