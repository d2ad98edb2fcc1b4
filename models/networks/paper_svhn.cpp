#include "models/networks/paper_svhn.h"

#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

Value same_conv(NetworkBuilder& network, const std::string& name, Value x, std::int64_t filters) {
  const Value h =
      conv2d(network, "feature_extractor." + name, x, {.filters = filters, .kernel = 5, .pad = 2});
  return ops::relu(network.graph(), h);
}

Value svhn_features(NetworkBuilder& network, Value x) {
  constexpr MaxPoolOptions kOverlapping{.window = 3, .stride = 2};
  const Value h1 = max_pool(network, same_conv(network, "conv1", x, 64), kOverlapping);
  const Value h2 = max_pool(network, same_conv(network, "conv2", h1, 64), kOverlapping);
  return same_conv(network, "conv3", h2, 128);
}

Value svhn_labels(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  Graph& graph = network.graph();
  Value h = ops::relu(graph, linear(network, "label_predictor.fc1", features, 3072));
  h = dropout(network, "label_predictor.drop1", h, 0.5);
  h = ops::relu(graph, linear(network, "label_predictor.fc2", h, 2048));
  h = dropout(network, "label_predictor.drop2", h, 0.5);
  return linear(network, "label_predictor.fc3", h, num_classes);
}

Value svhn_domains(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  Graph& graph = network.graph();
  Value h = ops::relu(graph, linear(network, "domain_classifier.fc1", features, 1024));
  h = ops::relu(graph, linear(network, "domain_classifier.fc2", h, 1024));
  return linear(network, "domain_classifier.fc3", h, num_logits);
}

}  // namespace

Network paper_svhn(const NetworkInput& input) {
  return {.name = "paper-svhn",
          .input = input,
          .feature_extractor = svhn_features,
          .label_predictor = svhn_labels,
          .domain_classifier = svhn_domains};
}

}  // namespace gradflip
