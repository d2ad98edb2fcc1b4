#include "benchmarks/kernels/heads_check.h"

#include <fmt/format.h>

#include "benchmarks/support/check.h"
#include "tests/support/reference/bias.h"
#include "tests/support/reference/gemm.h"
#include "tests/support/reference/heads.h"

namespace gradflip::bench {
namespace {

using reference::widen;

// Features that a head reads, or what the layer before left of them.
std::vector<double> inputs_of(const HeadsResult& got, int h, int layer) {
  if (layer > 0) return widen(got.heads[static_cast<std::size_t>(h)].hidden[layer - 1]);
  const HeadShape& sizes = got.shape.heads[h];
  const auto begin = got.features.begin() + sizes.row_begin * got.shape.features;
  return {begin, begin + sizes.rows * got.shape.features};
}

reference::HeadLabels labels_of(const HeadResult& head) {
  reference::HeadLabels labels;
  for (const HeadRange& range : head.ranges) {
    const auto rows = static_cast<std::size_t>(range.rows);
    labels.weights.insert(labels.weights.end(), rows, static_cast<double>(range.scale.factor));
    labels.classes.insert(labels.classes.end(), rows, range.label);
    labels.targets.insert(labels.targets.end(), rows, range.label);
  }
  if (!head.classes.empty()) labels.classes = head.classes;
  return labels;
}

std::string check_layer(const HeadsResult& got, int h, int l) {
  const HeadShape& sizes = got.shape.heads[h];
  const HeadResult& head = got.heads[static_cast<std::size_t>(h)];
  const bool last = l + 1 == sizes.num_layers;
  const double bound = sum_tolerance(got.shape.math);
  const reference::Sums z = reference::head_layer(
      sizes.rows, inputs_of(got, h, l), widen(head.weights[l]), widen(head.biases[l]), !last);
  if (last) {
    const reference::HeadResult want = reference::head_loss(sizes, z, labels_of(head));
    const std::string loss = differences("loss", head.loss, want.loss.loss, bound);
    return loss.empty() ? differences("dlogits", head.dlayers[l], want.loss.dlogits, bound) : loss;
  }
  const std::string hidden = differences("hidden", head.hidden[l], z, bound);
  if (!hidden.empty()) return hidden;
  return differences(
      "dlayer", head.dlayers[l],
      reference::head_hidden_gradient(sizes.rows, widen(head.dlayers[l + 1]),
                                      widen(head.weights[l + 1]), widen(head.hidden[l])),
      bound);
}

std::string check_layer_gradients(const HeadsResult& got, int h, int l) {
  const HeadShape& sizes = got.shape.heads[h];
  const HeadResult& head = got.heads[static_cast<std::size_t>(h)];
  const std::vector<double> dlayer = widen(head.dlayers[l]);
  const double bound = sum_tolerance(got.shape.math);
  const std::string weights =
      differences("dweights", head.dweights[l],
                  reference::head_weight_gradient(sizes.rows, dlayer, inputs_of(got, h, l)), bound);
  if (!weights.empty()) return weights;
  return differences("dbiases", head.dbiases[l], reference::bias_backward(dlayer, sizes.widths[l]),
                     bound);
}

std::string check_layers(const HeadsResult& got,
                         std::string (*check)(const HeadsResult&, int, int)) {
  for (int h = 0; h < got.shape.num_heads; ++h) {
    for (int l = 0; l < got.shape.heads[h].num_layers; ++l) {
      const std::string difference = check(got, h, l);
      if (!difference.empty()) return fmt::format("head {}, layer {}: {}", h, l, difference);
    }
  }
  return {};
}

}  // namespace

std::string check_heads_forward(const HeadsResult& got) { return check_layers(got, check_layer); }

std::string check_heads_backward_weights(const HeadsResult& got) {
  return check_layers(got, check_layer_gradients);
}

std::string check_heads_backward_data(const HeadsResult& got) {
  std::vector<reference::GemmTerm> terms;
  for (int h = 0; h < got.shape.num_heads; ++h) {
    const HeadShape& sizes = got.shape.heads[h];
    const HeadResult& head = got.heads[static_cast<std::size_t>(h)];
    const bool reversed = sizes.loss == HeadLoss::kBceWithLogits;
    terms.push_back({widen(head.dlayers[0]), widen(head.weights[0]), sizes.row_begin, sizes.rows,
                     sizes.widths[0], reversed ? -static_cast<double>(kHeadsLambda) : 1.0});
  }
  return differences("dfeatures", got.dfeatures,
                     reference::gemm_terms(got.shape.rows, got.shape.features, terms),
                     sum_tolerance(got.shape.math));
}

}  // namespace gradflip::bench
