#include "models/networks/digits_l.h"

#include "models/normalised_conv.h"
#include "runtime/ops/mean_pool2d.h"

namespace gradflip {
namespace {

Value l_features(NetworkBuilder& network, Value x, const NetworkOptions& options) {
  const std::string part = "feature_extractor";
  const auto pooled = [&](const char* name, Value h) {
    return dropout(network, name, max_pool(network, h), options.dropout);
  };
  x = normalised_conv(network, part, 1, x, {.filters = 32, .kernel = 5, .pad = 2});
  x = pooled("feature_extractor.drop1", x);
  x = normalised_conv(network, part, 2, x, {.filters = 64, .pad = 1});
  x = normalised_conv(network, part, 3, x, {.filters = 64, .pad = 1});
  x = pooled("feature_extractor.drop2", x);
  x = normalised_conv(network, part, 4, x, {.filters = 128, .pad = 1});
  x = normalised_conv(network, part, 5, x, {.filters = 128, .pad = 1});
  x = channel_dropout(network, "feature_extractor.drop3", x, options.channel_dropout);
  return ops::global_mean_pool2d(network.graph(), x);
}

Value l_labels(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  return linear(network, "label_predictor.fc1", features, num_classes);
}

Value l_domains(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  const Value h = normalised_linear(network, "domain_classifier", 1, features, 128);
  return linear(network, "domain_classifier.fc2", h, num_logits);
}

}  // namespace

Network digits_l(const NetworkInput& input, const NetworkOptions& options) {
  return {.name = "digits-l",
          .input = input,
          .feature_extractor = [options](NetworkBuilder& network,
                                         Value x) { return l_features(network, x, options); },
          .label_predictor = l_labels,
          .domain_classifier = l_domains};
}

}  // namespace gradflip
