#include "models/networks/mlp.h"

#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

Value hidden_layer(NetworkBuilder& network, Value x) {
  return ops::relu(network.graph(), linear(network, "feature_extractor.fc1", x, 15));
}

Value label_layer(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  return linear(network, "label_predictor.fc1", features, num_classes);
}

Value domain_layer(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  return linear(network, "domain_classifier.fc1", features, num_logits);
}

}  // namespace

Network mlp(const NetworkInput& input) {
  return {.name = "mlp",
          .input = input,
          .feature_extractor = hidden_layer,
          .label_predictor = label_layer,
          .domain_classifier = domain_layer};
}

}  // namespace gradflip
