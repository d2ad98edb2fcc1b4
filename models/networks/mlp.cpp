#include "models/networks/mlp.h"

#include "kernels/require.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

Value hidden_layers(NetworkBuilder& network, Value x, const NetworkOptions& options) {
  Graph& graph = network.graph();
  for (std::int64_t i = 1; i <= options.hidden_layers; ++i) {
    x = linear(network, message("feature_extractor.fc", i), x, options.hidden_units);
    x = options.activation == Activation::kRelu ? ops::relu(graph, x) : ops::sigmoid(graph, x);
  }
  return x;
}

Value label_layer(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  return linear(network, "label_predictor.fc1", features, num_classes);
}

Value domain_layer(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  return linear(network, "domain_classifier.fc1", features, num_logits);
}

}  // namespace

Network mlp(const NetworkInput& input, const NetworkOptions& options) {
  return {.name = "mlp",
          .input = input,
          .feature_extractor = [options](NetworkBuilder& network,
                                         Value x) { return hidden_layers(network, x, options); },
          .label_predictor = label_layer,
          .domain_classifier = domain_layer};
}

}  // namespace gradflip
