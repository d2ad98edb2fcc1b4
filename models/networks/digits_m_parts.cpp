#include "models/networks/digits_m_parts.h"

#include <utility>

#include "models/normalised_conv.h"

namespace gradflip {
namespace {

Value pooled_block(NetworkBuilder& network, int number, Value x, const Conv2dOptions& conv,
                   double dropped) {
  const Value h = normalised_conv(network, "feature_extractor", number, x, conv);
  return dropout(network, "feature_extractor.drop" + std::to_string(number), max_pool(network, h),
                 dropped);
}

Value m_features(NetworkBuilder& network, Value x, const NetworkOptions& options, bool padded) {
  const std::int64_t pad = padded ? 2 : 0;
  x = pooled_block(network, 1, x, {.filters = 32, .kernel = 5, .pad = pad}, options.dropout);
  x = pooled_block(network, 2, x, {.filters = 64, .kernel = 5, .pad = pad}, options.dropout);
  x = pooled_block(network, 3, x, {.filters = 128, .kernel = 3, .pad = 1}, options.dropout);
  return channel_dropout(network, "feature_extractor.drop4", x, options.channel_dropout);
}

Value m_labels(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  return linear(network, "label_predictor.fc2",
                normalised_linear(network, "label_predictor", 1, features, 128), num_classes);
}

Value m_domains(NetworkBuilder& network, Value features, std::int64_t num_logits) {
  const Value h = normalised_linear(network, "domain_classifier", 1, features, 128);
  return linear(network, "domain_classifier.fc2", h, num_logits);
}

}  // namespace

Network digits_m_network(std::string name, const NetworkInput& input, const NetworkOptions& options,
                         bool padded) {
  return {.name = std::move(name),
          .input = input,
          .feature_extractor = [options, padded](
                                   NetworkBuilder& network,
                                   Value x) { return m_features(network, x, options, padded); },
          .label_predictor = m_labels,
          .domain_classifier = m_domains};
}

}  // namespace gradflip
