#include "models/networks/digits_l.h"

#include "models/normalised_conv.h"
#include "runtime/ops/mean_pool2d.h"
#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

constexpr double kPoolDropout = 0.1;

Value l_features(NetworkBuilder& network, Value x) {
  const std::string part = "feature_extractor";
  const auto pooled = [&](const char* name, Value h) {
    return dropout(network, name, max_pool(network, h), kPoolDropout);
  };
  x = normalised_conv(network, part, 1, x, {.filters = 32, .kernel = 5, .pad = 2});
  x = pooled("feature_extractor.drop1", x);
  x = normalised_conv(network, part, 2, x, {.filters = 64, .pad = 1});
  x = normalised_conv(network, part, 3, x, {.filters = 64, .pad = 1});
  x = pooled("feature_extractor.drop2", x);
  x = normalised_conv(network, part, 4, x, {.filters = 128, .pad = 1});
  x = normalised_conv(network, part, 5, x, {.filters = 128, .pad = 1});
  return ops::global_mean_pool2d(network.graph(), x);
}

Value l_labels(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  return linear(network, "label_predictor.fc1", features, num_classes);
}

Value l_domains(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  const Value h = ops::leaky_relu(network.graph(),
                                  linear(network, "domain_classifier.fc1", features, 128), kLeak);
  return linear(network, "domain_classifier.fc2", h, num_logits);
}

}  // namespace

Network digits_l(const NetworkInput& input) {
  return {.name = "digits-l",
          .input = input,
          .feature_extractor = l_features,
          .label_predictor = l_labels,
          .domain_classifier = l_domains};
}

}  // namespace gradflip
