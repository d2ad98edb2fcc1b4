#include "models/dann.h"

#include <array>
#include <utility>

#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/softmax_cross_entropy.h"

namespace gradflip {
namespace {

constexpr float kByteScale = 1.0F / 255.0F;

}  // namespace

NetworkInput digits_input(std::vector<float> channel_means) {
  NetworkInput input{{kImageSize, kImageSize, kImageChannels},
                     Dtype::kU8,
                     std::move(channel_means),
                     std::vector<float>(kImageChannels, kByteScale)};
  require_valid(input);
  return input;
}

Value feature_extractor(NetworkBuilder& network, Value x) {
  const Value h = conv_block(network, "feature_extractor.conv1", x, {.filters = 32});
  return conv_block(network, "feature_extractor.conv2", h, {.filters = 48});
}

Value label_predictor(NetworkBuilder& network, Value features, std::int64_t num_classes) {
  Graph& graph = network.graph();
  Value h = ops::relu(graph, linear(network, "label_predictor.fc1", features, 100));
  h = ops::relu(graph, linear(network, "label_predictor.fc2", h, 100));
  return linear(network, "label_predictor.fc3", h, num_classes);
}

Value domain_classifier(NetworkBuilder& network, Value features, Value lambda,
                        std::int64_t num_logits) {
  Graph& graph = network.graph();
  const Value reversed = ops::grl(graph, features, lambda);
  const Value h = ops::relu(graph, linear(network, "domain_classifier.fc1", reversed, 100));
  return linear(network, "domain_classifier.fc2", h, num_logits);
}

DomainLoss domain_loss(Graph& graph, Value domain_logits, const DannOptions& options,
                       const TrainingOptions& training, Value lambda) {
  const auto [source, target] = domain_weights(options, training);
  ops::RowWeights weights{.over = ops::Over::kSegments};
  weights.weights[kSource] = source;
  weights.weights[kTarget] = target;
  constexpr std::array<ops::SegmentNumber, 2> kDomains{{{kSource, 0}, {kTarget, 1}}};
  Value losses, correct;
  if (graph.type(domain_logits).shape[0] == 1) {
    const Value labels = ops::constant_rows(graph, kDomains);
    losses = ops::bce_with_logits(graph, domain_logits, labels);
    correct = ops::count_correct_binary(graph, domain_logits, labels);
  } else {
    const Value labels = ops::constant_labels(graph, kDomains);
    losses = ops::softmax_cross_entropy(graph, domain_logits, labels);
    correct = ops::count_correct(graph, domain_logits, labels);
  }
  const bool weighed_by_lambda = options.lambda_applies_to == LambdaAppliesTo::kBoth;
  return {ops::sum_rows(graph, losses),
          correct,
          {.name = "domain loss",
           .loss = ops::sum_rows(graph, losses, weights),
           .times = weighed_by_lambda ? lambda : Value{}}};
}

}  // namespace gradflip
