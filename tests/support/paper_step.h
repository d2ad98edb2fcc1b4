// The draft of a training step of the paper's DANN on data sets of bytes, and what can differ in
// it: what fusion.h makes nine nodes of, or does not.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/draft.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/gather.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/sample.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/softmax_cross_entropy.h"
#include "runtime/parameters.h"

namespace gradflip {

struct PaperStepOptions {
  std::int64_t channels = 3;
  bool is_sampled = true, is_one_step = true;  // the target's pictures
  bool has_computed_mean = false;
  ops::Conv2dGeometry conv = {};                      // of the first block
  bool has_computed_filter = false, has_bias = true;  // the same
  ops::Pool2dGeometry pool = {};
  bool has_third_conv = false;
  std::vector<std::int64_t> label_widths{100, 100, 10};
  std::vector<std::int64_t> domain_widths{100, 1};  // the last one is 1
  bool has_logit_bias = true;                       // the label predictor
  bool weighs_each_row = false;                     // the label loss
  bool reads_label_count_early = false, reads_label_sum_early = false;
  int domain_classifiers = 1, reversals = 1;
  bool has_relu_behind_reversal = false;
  Math domain_math = Math::kF32;
  bool has_f32_domain_logits = false;
};

class PaperStep {
 public:
  explicit PaperStep(const PaperStepOptions& options = {}) : options_(options) {
    draft.step = counter("step");
    append_pictures();
    append_features();
    append_label_predictor();
    for (int i = 0; i < options.domain_classifiers; ++i) append_domain_classifier(i);
    draft.objective->with.rule = SgdOptions{.momentum = 0.9F};
    draft.objective->learning_rate = schedule();
    report("learning_rate", draft.objective->learning_rate);
    report("lambda", lambda);
  }

  Graph& graph() { return draft.graph; }
  Value schedule() {
    return ops::evaluate_schedule(
        graph(), draft.step,
        {.kind = Schedule::Kind::kSigmoidRamp, .start = 1.0, .gamma = 10.0, .total_steps = 10});
  }
  // Somebody reads a scalar or a value with rows.
  void report(const std::string& name, Value value) { draft.reports.push_back({name, value}); }

  Draft draft{.objective = Objective{}};
  Parameters parameters;
  Value labels, pictures, label_logits, label_losses, label_sum, label_correct;
  Value domain_hidden, lambda;
  std::vector<Value> indices;  // of source and target
  std::vector<Value> relus;    // of the convolutions

 private:
  static constexpr Rows kBoth{0b11};

  Value counter(const std::string& name) { return graph().external(name, {Dtype::kI64, {}, {}}); }

  Value parameter(const std::string& name, const Shape& shape) {
    const auto index = static_cast<std::int32_t>(parameters.list().size());
    parameters.add(name, shape, FileLayout::same(shape), Uniform{0.1F});
    return graph().parameter(index, name, shape);
  }

  Value indices_of(int segment) {
    const auto stream = static_cast<std::uint32_t>(segment);
    if (segment == 1 && !options_.is_sampled) {
      return graph().external("indices", {Dtype::kI64, {}, segment_rows(segment)});
    }
    const Value step = segment == 1 && !options_.is_one_step ? counter("target step") : draft.step;
    return ops::sample_indices(graph(), step, segment,
                               {.seed = 1, .stream = stream, .size = 100, .batch = 64});
  }

  void append_pictures() {
    std::vector<ops::ImageSource> sources;
    for (const int segment : {0, 1}) {
      const Value images =
          graph().external(segment == 0 ? "source" : "target",
                           {Dtype::kU8, {100, 28, 28, segment == 0 ? 1 : options_.channels}, {}});
      indices.push_back(indices_of(segment));
      sources.push_back({images, indices.back()});
    }
    const ValueType per_channel{Dtype::kF32, {options_.channels}, {}};
    Value mean = graph().external("mean", per_channel);
    if (options_.has_computed_mean) mean = ops::scale(graph(), mean, 2.0F);
    pictures =
        ops::gather_normalize(graph(), sources, mean, graph().external("scale", per_channel));
    labels = ops::gather_labels(graph(), graph().external("labels", {Dtype::kI32, {100}, {}}),
                                indices[0]);
  }

  Value conv(const std::string& name, Value x, std::int64_t filters, std::int64_t size,
             const ops::Conv2dGeometry& geometry, bool has_bias) {
    const std::int64_t channels = graph().type(x).shape[2];
    Value filter = parameter(name + ".weight", {size, size, channels, filters});
    if (options_.has_computed_filter) filter = ops::scale(graph(), filter, 2.0F);
    const Value y = ops::conv2d(graph(), x, filter, geometry);
    return has_bias ? ops::bias(graph(), y, parameter(name + ".bias", {filters})) : y;
  }

  void append_features() {
    relus.push_back(ops::relu(graph(), conv("feature_extractor.conv1", pictures, 32, 5,
                                            options_.conv, options_.has_bias)));
    const Value first = ops::max_pool2d(graph(), relus[0], options_.pool);
    relus.push_back(ops::relu(graph(), conv("feature_extractor.conv2", first, 48, 5, {}, true)));
    features_ = ops::max_pool2d(graph(), relus[1]);
    if (options_.has_third_conv) {
      features_ = ops::relu(graph(), conv("feature_extractor.conv3", features_, 48, 1, {}, true));
    }
  }

  Value linear(const std::string& name, Value x, std::int64_t width, Math math, bool has_bias) {
    const std::int64_t inputs = graph().type(x).shape.size();
    const Value y = ops::linear(graph(), x, parameter(name + ".weight", {width, inputs}), math);
    return has_bias ? ops::bias(graph(), y, parameter(name + ".bias", {width})) : y;
  }

  void append_label_predictor() {
    Value x = ops::slice_rows(graph(), features_, segment_rows(0));
    const std::vector<std::int64_t>& widths = options_.label_widths;
    for (std::size_t layer = 0; layer < widths.size(); ++layer) {
      const bool is_last = layer + 1 == widths.size();
      x = linear("label_predictor.fc" + std::to_string(layer + 1), x, widths[layer], Math::kF32,
                 !is_last || options_.has_logit_bias);
      if (!is_last) x = ops::relu(graph(), x);
    }
    label_logits = x;
    label_losses = ops::softmax_cross_entropy(graph(), label_logits, labels);
    Value weighed = label_losses;
    if (options_.weighs_each_row) {
      const Value weights = graph().external("weights", {Dtype::kF32, {}, segment_rows(0)});
      weighed = ops::multiply(graph(), label_losses, weights);
    }
    if (options_.reads_label_sum_early) {
      report("early", ops::scale(graph(), ops::sum_rows(graph(), label_losses), 2.0F));
    }
    label_sum = ops::mean_rows(graph(), weighed);
    draft.objective->terms.push_back({"label loss", label_sum});
    label_correct = ops::count_correct(graph(), label_logits, labels);
    if (options_.reads_label_count_early) report("early", ops::scale(graph(), label_correct, 2.0F));
    report("label_correct", label_correct);
  }

  void append_domain_classifier(int number) {
    const std::string name =
        "domain_classifier" + (number == 0 ? std::string() : std::to_string(number + 1));
    if (lambda.none()) lambda = schedule();
    Value x = features_;
    for (int i = 0; i < options_.reversals; ++i) x = ops::grl(graph(), x, lambda);
    if (options_.has_relu_behind_reversal) x = ops::relu(graph(), x);
    const std::vector<std::int64_t>& widths = options_.domain_widths;
    for (std::size_t layer = 0; layer < widths.size(); ++layer) {
      const bool is_last = layer + 1 == widths.size();
      const Math math =
          is_last && options_.has_f32_domain_logits ? Math::kF32 : options_.domain_math;
      x = linear(name + ".fc" + std::to_string(layer + 1), x, widths[layer], math, true);
      if (is_last) break;
      x = domain_hidden = ops::relu(graph(), x);
    }
    const Value truth =
        ops::constant_rows(graph(), std::array<ops::SegmentNumber, 2>{{{0, 0}, {1, 1}}});
    const Value losses = ops::bce_with_logits(graph(), x, truth);
    draft.objective->terms.push_back({name + " loss", ops::sum_of_means(graph(), losses)});
    if (number == 0) {
      report("domain_correct", ops::count_correct_binary(graph(), x, truth));
      draft.reports.back().per = kBoth;
    }
  }

  PaperStepOptions options_;
  Value features_;
};

}  // namespace gradflip
