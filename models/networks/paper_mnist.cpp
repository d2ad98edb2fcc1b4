#include "models/networks/paper_mnist.h"

#include <utility>

#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

Value paper_features(NetworkBuilder& network, Value x) {
  const Value h = conv_block(network, "feature_extractor.conv1", x, {.filters = 32});
  return conv_block(network, "feature_extractor.conv2", h, {.filters = 48});
}

Value paper_labels(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  Graph& graph = network.graph();
  Value h = ops::relu(graph, linear(network, "label_predictor.fc1", features, 100));
  h = ops::relu(graph, linear(network, "label_predictor.fc2", h, 100));
  return linear(network, "label_predictor.fc3", h, num_classes);
}

Value paper_domains(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  const Value h =
      ops::relu(network.graph(), linear(network, "domain_classifier.fc1", features, 100));
  return linear(network, "domain_classifier.fc2", h, num_logits);
}

}  // namespace

NetworkInput digits_input(std::vector<float> channel_means) {
  constexpr float kByteScale = 1.0F / 255.0F;
  NetworkInput input{{kImageSize, kImageSize, kImageChannels},
                     Dtype::kU8,
                     std::move(channel_means),
                     std::vector<float>(kImageChannels, kByteScale)};
  require_valid(input);
  return input;
}

Network paper_mnist(const NetworkInput& input) {
  return {.name = "paper-mnist",
          .input = input,
          .feature_extractor = paper_features,
          .label_predictor = paper_labels,
          .domain_classifier = paper_domains};
}

}  // namespace gradflip
