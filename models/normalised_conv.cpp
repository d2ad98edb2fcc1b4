#include "models/normalised_conv.h"

#include "kernels/require.h"
#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

Value normalised(NetworkBuilder& network, const std::string& part, int number, Value x) {
  return ops::leaky_relu(network.graph(), batch_norm(network, message(part, ".bn", number), x),
                         kLeak);
}

}  // namespace

Value normalised_conv(NetworkBuilder& network, const std::string& part, int number, Value x,
                      Conv2dOptions options) {
  options.bias = false;
  return normalised(network, part, number,
                    conv2d(network, message(part, ".conv", number), x, options));
}

Value normalised_linear(NetworkBuilder& network, const std::string& part, int number, Value x,
                        std::int64_t out_features) {
  return normalised(
      network, part, number,
      linear(network, message(part, ".fc", number), x, out_features, {.bias = false}));
}

}  // namespace gradflip
