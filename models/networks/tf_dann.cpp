#include "models/networks/tf_dann.h"

#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

const InitialValues kTruncated{.weight = TruncatedNormal{0.1F}, .bias = Constant{0.1F}};
const LinearOptions kLinear{.initial = kTruncated};

Value tf_features(NetworkBuilder& network, Value x) {
  const Value h = conv_block(network, "feature_extractor.conv1", x,
                             {.filters = 32, .pad = 2, .initial = kTruncated});
  return conv_block(network, "feature_extractor.conv2", h,
                    {.filters = 48, .pad = 2, .initial = kTruncated});
}

Value tf_labels(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  Graph& graph = network.graph();
  Value h = ops::relu(graph, linear(network, "label_predictor.fc1", features, 100, kLinear));
  h = ops::relu(graph, linear(network, "label_predictor.fc2", h, 100, kLinear));
  return linear(network, "label_predictor.fc3", h, num_classes, kLinear);
}

Value tf_domains(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  const Value h =
      ops::relu(network.graph(), linear(network, "domain_classifier.fc1", features, 100, kLinear));
  return linear(network, "domain_classifier.fc2", h, num_logits, kLinear);
}

}  // namespace

Network tf_dann(const NetworkInput& input) {
  return {.name = "tf-dann",
          .input = input,
          .feature_extractor = tf_features,
          .label_predictor = tf_labels,
          .domain_classifier = tf_domains};
}

}  // namespace gradflip
