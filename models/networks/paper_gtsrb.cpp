#include "models/networks/paper_gtsrb.h"

#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

Value gtsrb_features(NetworkBuilder& network, Value x) {
  Value h = conv_block(network, "feature_extractor.conv1", x, {.filters = 96, .pad = 2});
  h = conv_block(network, "feature_extractor.conv2", h, {.filters = 144, .kernel = 3, .pad = 1});
  return conv_block(network, "feature_extractor.conv3", h, {.filters = 256, .pad = 2});
}

Value gtsrb_labels(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  const Value h = ops::relu(network.graph(), linear(network, "label_predictor.fc1", features, 512));
  return linear(network, "label_predictor.fc2", h, num_classes);
}

Value gtsrb_domains(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  Graph& graph = network.graph();
  Value h = ops::relu(graph, linear(network, "domain_classifier.fc1", features, 1024));
  h = ops::relu(graph, linear(network, "domain_classifier.fc2", h, 1024));
  return linear(network, "domain_classifier.fc3", h, num_logits);
}

}  // namespace

Network paper_gtsrb(const NetworkInput& input) {
  return {.name = "paper-gtsrb",
          .input = input,
          .feature_extractor = gtsrb_features,
          .label_predictor = gtsrb_labels,
          .domain_classifier = gtsrb_domains};
}

}  // namespace gradflip
