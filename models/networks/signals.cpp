#include "models/networks/signals.h"

#include "runtime/ops/mean_pool2d.h"
#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

Value signal_block(NetworkBuilder& network, const std::string& number, Value x,
                   std::int64_t filters, std::int64_t taps) {
  const std::string part = "feature_extractor.";
  Value h =
      conv2d(network, part + "conv" + number, x,
             {.filters = filters, .kernel = taps, .kernel_h = 1, .pad = taps / 2, .bias = false});
  h = ops::relu(network.graph(), batch_norm(network, part + "bn" + number, h));
  return max_pool(network, h, {.window = 2, .window_h = 1});
}

Value signal_features(NetworkBuilder& network, Value x) {
  x = signal_block(network, "1", x, 16, 9);
  x = signal_block(network, "2", x, 32, 5);
  x = signal_block(network, "3", x, 64, 3);
  return ops::global_mean_pool2d(network.graph(), x);
}

Value signal_labels(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  const Value h = ops::relu(network.graph(), linear(network, "label_predictor.fc1", features, 64));
  return linear(network, "label_predictor.fc2", h, num_classes);
}

Value signal_domains(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  const Value h =
      ops::relu(network.graph(), linear(network, "domain_classifier.fc1", features, 64));
  return linear(network, "domain_classifier.fc2", h, num_logits);
}

}  // namespace

Network signals(const NetworkInput& input) {
  return {.name = "signals",
          .input = input,
          .feature_extractor = signal_features,
          .label_predictor = signal_labels,
          .domain_classifier = signal_domains};
}

}  // namespace gradflip
