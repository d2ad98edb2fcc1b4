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

NetworkInput digits_input(std::vector<float> channel_means, PixelScaling pixels) {
  constexpr float kByte = 255.0F, kHalf = 0.5F * kByte;
  const auto all = [](float value) { return std::vector<float>(kImageChannels, value); };
  NetworkInput input{{kImageSize, kImageSize, kImageChannels},
                     Dtype::kU8,
                     std::move(channel_means),
                     all(1.0F / kByte)};
  switch (pixels) {
    case PixelScaling::kMean:
      break;
    case PixelScaling::kUnit:
      input.means = all(0.0F);
      break;
    case PixelScaling::kHalf:
      input.means = all(kHalf);
      input.scales = all(1.0F / kHalf);
      break;
    case PixelScaling::kFungtion:
      input.means = all(0.1307F * kByte);
      input.scales = all(1.0F / (0.3081F * kByte));
      input.target_means = all(kHalf);
      input.target_scales = all(1.0F / kHalf);
      break;
  }
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
