#include "models/networks/jvanvugt.h"

#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

constexpr double kDropShare = 0.5;

Value jvanvugt_features(NetworkBuilder& network, Value x) {
  Value h = conv_block(network, "feature_extractor.conv1", x, {.filters = 10});
  h = conv2d(network, "feature_extractor.conv2", h, {.filters = 20, .kernel = 5});
  return channel_dropout(network, "feature_extractor.drop1", max_pool(network, h), kDropShare);
}

Value jvanvugt_labels(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  Value h = ops::relu(network.graph(), linear(network, "label_predictor.fc1", features, 50));
  h = dropout(network, "label_predictor.drop1", h, kDropShare);
  return linear(network, "label_predictor.fc2", h, num_classes);
}

Value jvanvugt_domains(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  Graph& graph = network.graph();
  Value h = ops::relu(graph, linear(network, "domain_classifier.fc1", features, 50));
  h = ops::relu(graph, linear(network, "domain_classifier.fc2", h, 20));
  return linear(network, "domain_classifier.fc3", h, num_logits);
}

}  // namespace

Network jvanvugt(const NetworkInput& input) {
  return {.name = "jvanvugt",
          .input = input,
          .feature_extractor = jvanvugt_features,
          .label_predictor = jvanvugt_labels,
          .domain_classifier = jvanvugt_domains};
}

}  // namespace gradflip
