#include "models/networks/fungtion.h"

#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

constexpr double kDropped = 0.5;
const LinearOptions kNoBias{.bias = false};

Value normalised_relu(NetworkBuilder& network, const std::string& name, Value x) {
  return ops::relu(network.graph(), batch_norm(network, name, x));
}

Value fungtion_features(NetworkBuilder& network, Value x) {
  Value h =
      conv2d(network, "feature_extractor.conv1", x, {.filters = 64, .kernel = 5, .bias = false});
  h = max_pool(network, normalised_relu(network, "feature_extractor.bn1", h));
  h = conv2d(network, "feature_extractor.conv2", h, {.filters = 50, .kernel = 5, .bias = false});
  h = max_pool(network, normalised_relu(network, "feature_extractor.bn2", h));
  return channel_dropout(network, "feature_extractor.drop1", h, kDropped);
}

Value fungtion_labels(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  Value h = linear(network, "label_predictor.fc1", features, 100, kNoBias);
  h = normalised_relu(network, "label_predictor.bn1", h);
  h = dropout(network, "label_predictor.drop1", h, kDropped);
  h = linear(network, "label_predictor.fc2", h, 100, kNoBias);
  h = normalised_relu(network, "label_predictor.bn2", h);
  return linear(network, "label_predictor.fc3", h, num_classes);
}

Value fungtion_domains(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  const Value h = linear(network, "domain_classifier.fc1", features, 100, kNoBias);
  return linear(network, "domain_classifier.fc2",
                normalised_relu(network, "domain_classifier.bn1", h), num_logits);
}

}  // namespace

Network fungtion(const NetworkInput& input) {
  return {.name = "fungtion",
          .input = input,
          .feature_extractor = fungtion_features,
          .label_predictor = fungtion_labels,
          .domain_classifier = fungtion_domains};
}

}  // namespace gradflip
