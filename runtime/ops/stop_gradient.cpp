#include "runtime/ops/stop_gradient.h"

#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class StopGradient final : public Op {
 public:
  std::string_view name() const override { return "stop_gradient"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }
  std::optional<View> view() const override { return View{0}; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  void run(const Launch& /*launch*/) const override {}
};

}  // namespace

Value stop_gradient(Graph& graph, Value x) {
  return graph.append_one(std::make_shared<const StopGradient>(), {x});
}

}  // namespace gradflip::ops
