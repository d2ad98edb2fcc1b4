#include "runtime/op.h"

namespace gradflip {

double bytes_of(std::span<const TensorView> views) {
  double bytes = 0.0;
  for (const TensorView& view : views) {
    bytes += static_cast<double>(view.size() * bytes_of(view.dtype));
  }
  return bytes;
}

void require_no_gradient_at(const GradientRequest& request, std::size_t output) {
  GRADFLIP_REQUIRE(
      request.doutputs[output].none(),
      message("autodiff: ", request.node.op->name(), " has no gradient rule for its output ",
              output, "; put a stop_gradient behind it if it is meant as a constant"));
}

OpCost Op::cost(std::span<const TensorView> inputs, std::span<const TensorView> outputs) const {
  return {.flops = 0.0, .nonzero_flops = 0.0, .bytes = bytes_of(inputs) + bytes_of(outputs)};
}

}  // namespace gradflip
