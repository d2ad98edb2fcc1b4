// Random drafts: all that compile() can meet. A network on two segments of rows, heads with losses
// of both kinds, terms that weigh and combine them, something of everything to show, and an update
// of some of the parameters.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/require.h"
#include "runtime/draft.h"
#include "runtime/gradient_flow.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/gather.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/sample.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/softmax_cross_entropy.h"
#include "runtime/ops/stop_gradient.h"
#include "runtime/parameters.h"
#include "tests/support/random_choices.h"
#include "tests/support/random_data.h"
#include "tests/support/random_layers.h"

namespace gradflip {

class RandomDraft {
 public:
  struct Input {
    Value value;
    std::variant<std::vector<float>, std::vector<std::int32_t>, std::vector<std::uint8_t>> contents;
  };

  explicit RandomDraft(std::uint32_t seed)
      : choices_(seed), layers_(choices_, draft.graph, parameters, declare_schedules()) {
    append_features();
    const std::uint32_t heads = 1 + choices_.below(3);
    for (std::uint32_t head = 0; head < heads; ++head) append_head(message("head", head));
    if (choices_.oddly(4)) append_teacher();
    if (!choices_.oddly(8)) append_objective();
    append_shown();
  }
  RandomDraft(const RandomDraft&) = delete;  // its layers refer to it
  RandomDraft& operator=(const RandomDraft&) = delete;

  std::int64_t rows_of(Rows of) const {
    return (of.contains_segment(0) ? rows[0] : 0) + (of.contains_segment(1) ? rows[1] : 0);
  }

  static constexpr int kBanks = 2;

  Draft draft;
  Parameters parameters;
  std::vector<Input> inputs;
  std::vector<Value> results;  // that leave, with rows
  std::vector<std::int64_t> rows{5, 3};

 private:
  static constexpr std::int64_t kClasses = 3, kH = 6, kW = 7;

  // What a head ends with.
  struct RowLosses {
    Value losses;  // f32 rows x ()
    Value logits, labels;
    bool binary = false;
  };

  Graph& graph() { return draft.graph; }
  Value schedule() {
    return ops::evaluate_schedule(
        graph(), draft.step,
        {.kind = choices_.one_of({Schedule::Kind::kConstant, Schedule::Kind::kProgressDecay,
                                  Schedule::Kind::kSigmoidRamp}),
         .start = choices_.one_of({0.3, 0.7, 1.0}),
         .alpha = 10.0,
         .beta = 0.75,
         .gamma = 10.0,
         .total_steps = 7,
         .first_step = choices_.once_in(2) ? -3 : 0});
  }
  Value declare_schedules() {
    draft.step = graph().external("step", {Dtype::kI64, {}, {}});
    return lambda_ = schedule();
  }
  // One that there is, or one that stands behind whatever it weighs.
  Value some_schedule() { return choices_.once_in(2) ? lambda_ : schedule(); }

  template <typename T>
  Value input(const std::string& name, const ValueType& type, std::vector<T> contents) {
    const Value value = graph().external(name, type);
    inputs.push_back({value, std::move(contents)});
    return value;
  }
  std::uint32_t data_seed() { return choices_.below(1U << 30U); }

  // Pictures of bytes that the step samples, as training does, or floats as they come.
  void append_features() {
    Value x = choices_.once_in(3) ? given_pictures() : sampled_pictures();
    const std::uint32_t blocks = choices_.oddly(4) ? 0 : 1 + choices_.below(2);
    for (std::uint32_t block = 0; block < blocks; ++block) {
      x = layers_.convolution(message("feature_extractor.conv", block), x);
      if (choices_.oddly(5)) x = layers_.arithmetic(x);
    }
    if (blocks == 0 || choices_.once_in(5)) {
      x = ops::relu(graph(), layers_.layer("feature_extractor.fc", x, 1 + choices_.below(9)));
    }
    for (std::uint32_t more = choices_.oddly(2) ? 1 + choices_.below(3) : 0; more > 0; --more) {
      x = layers_.arithmetic(x);
    }
    features_ = x;
  }

  Value given_pictures() {
    std::array<Value, 2> pictures;
    for (std::size_t segment = 0; segment < 2; ++segment) {
      const Rows of = segment_rows(static_cast<int>(segment));
      pictures[segment] = input(message("x", segment), {Dtype::kF32, {kH, kW, 2}, of},
                                random_floats(rows[segment] * kH * kW * 2, data_seed()));
    }
    class_labels_ = input("labels", {Dtype::kI32, {}, segment_rows(0)},
                          random_labels(rows[0], kClasses, data_seed()));
    return ops::concat_rows(graph(), pictures);
  }

  Value sampled_pictures() {
    const std::int64_t C = choices_.one_of({1, 3});
    const Value mean = input("mean", {Dtype::kF32, {C}, {}}, std::vector<float>(C, 120.0F));
    const Value scale = input("scale", {Dtype::kF32, {C}, {}}, std::vector<float>(C, 0.01F));
    const auto seed = data_seed();
    std::vector<ops::ImageSource> sources;
    for (std::size_t segment = 0; segment < 2; ++segment) {
      const std::int64_t count = choices_.one_of({4, 9, 11});
      const std::int64_t stored = choices_.one_of({std::int64_t{1}, C});
      const Value images =
          input(message("images", segment), {Dtype::kU8, {count, kH, kW, stored}, {}},
                random_bytes(count * kH * kW * stored, data_seed()));
      const Value indices = ops::sample_indices(graph(), draft.step, static_cast<int>(segment),
                                                {.seed = seed,
                                                 .stream = static_cast<std::uint32_t>(segment),
                                                 .size = count,
                                                 .batch = rows[segment]});
      sources.push_back({images, indices});
    }
    const std::int64_t count = graph().type(sources[0].images).shape[0];
    const Value labels =
        input("labels", {Dtype::kI32, {count}, {}}, random_labels(count, kClasses, data_seed()));
    const Value pictures = ops::gather_normalize(graph(), sources, mean, scale);
    class_labels_ = ops::gather_labels(graph(), labels, sources[0].indices);
    return pictures;
  }

  void append_head(const std::string& name) {
    Value x = layers_.view(hidden_.none() || !choices_.oddly(4) ? features_ : hidden_);
    if (choices_.oddly(5)) x = layers_.arithmetic(x);
    const std::uint32_t layers = choices_.below(3);
    for (std::uint32_t layer = 0; layer < layers; ++layer) {
      // Wider than the kernels of small heads take, now and then.
      const std::int64_t out = choices_.oddly(20) ? 257 : choices_.one_of({1, 3, 8});
      x = hidden_ = ops::relu(graph(), layers_.layer(message(name, ".fc", layer), x, out));
    }
    const Value logits_of = x;
    RowLosses loss;
    loss.binary = choices_.once_in(2);
    const bool classes = !loss.binary && graph().type(x).rows.contains(segment_rows(0));
    if (classes)
      x = graph().type(x).rows == segment_rows(0) ? x
                                                  : ops::slice_rows(graph(), x, segment_rows(0));
    loss.logits = layers_.layer(name + ".logits", x, loss.binary ? 1 : classes ? kClasses : 2);
    loss.labels = classes ? class_labels_ : domain_labels(graph().type(x).rows, loss.binary);
    loss.losses = loss.binary ? ops::bce_with_logits(graph(), loss.logits, loss.labels)
                              : ops::softmax_cross_entropy(graph(), loss.logits, loss.labels,
                                                           choices_.one_of({0.0F, 0.1F}));
    rows_shown_.insert(rows_shown_.end(), {logits_of, loss.logits, loss.losses});
    losses_.push_back(loss);
    if (choices_.once_in(2)) show(loss);  // ahead of the terms, or behind them
  }

  Value domain_labels(Rows of, bool binary) {
    std::vector<ops::SegmentNumber> numbers;
    const int source = static_cast<int>(choices_.below(2));
    for (int segment = 0; segment < 2; ++segment) {
      if (of.contains_segment(segment)) numbers.push_back({segment, segment ^ source});
    }
    return binary ? ops::constant_rows(graph(), numbers) : ops::constant_labels(graph(), numbers);
  }

  // How far a layer is from what its average makes of the same features.
  void append_teacher() {
    const Value x = layers_.view(features_);
    const Value student = layers_.layer("student", x, 4);
    // Both banks start alike: of the same features they would tell the same but for rounding.
    const Value others = ops::scale(graph(), x, 0.5F);
    const Value teacher = layers_.layer("student", others, 4, /*bank=*/1);
    const Value apart = ops::subtract(graph(), student, teacher);
    RowLosses loss;
    loss.losses = layers_.one_and(ops::sum_features(graph(), ops::square(graph(), apart)));
    losses_.push_back(loss);
    if (choices_.once_in(2))
      draft.averages.push_back({1, 0.9F, choices_.once_in(2) ? lambda_ : Value{}});
  }

  // Row losses to a number above zero.
  Value summed(Value losses) {
    switch (choices_.below(5)) {
      case 0:
        return ops::mean_rows(graph(), losses);
      case 1:
        return ops::sum_of_means(graph(), losses);
      case 2:
        return ops::sum_rows(graph(), losses);
      case 3:
        return ops::mean_rows(graph(), choices_.oddly(2) ? weighed(losses) : losses);
      default: {
        ops::RowWeights weights{
            .over = choices_.one_of({ops::Over::kNothing, ops::Over::kRows, ops::Over::kSegments})};
        weights.weights[0] = choices_.one_of({0.5F, 1.0F});
        weights.weights[1] = choices_.one_of({0.25F, 1.0F, 2.0F});
        return ops::sum_rows(graph(), losses, weights);
      }
    }
  }

  // By a weight of each row, which the network may have made.
  Value weighed(Value losses) {
    const Value sizes = ops::sum_features(graph(), ops::square(graph(), features_));
    Value weights = ops::divide(graph(), sizes, layers_.one_and(sizes));
    const Rows of = graph().type(losses).rows;
    if (graph().type(weights).rows != of) weights = ops::slice_rows(graph(), weights, of);
    if (choices_.once_in(2)) weights = ops::stop_gradient(graph(), weights);
    return ops::multiply(graph(), layers_.one_and(losses), weights);
  }

  Value any_sum() { return summed(choices_.one_of(losses_).losses); }

  // Most often as a rewrite can take it in, sometimes as it cannot.
  void append_term(const RowLosses& of, std::vector<Term>& terms) {
    const Value loss = summed(of.losses);
    Term term{message("term ", terms.size()), loss, choices_.one_of({1.0F, 1.0F, 0.3F})};
    switch (choices_.oddly(2) ? choices_.below(10) : 10) {
      case 0:
        term.times = some_schedule();
        break;
      case 1: {
        const Value times = some_schedule();
        const Value scaled = ops::scale(graph(), loss, choices_.one_of({1.0F, 0.5F}), times);
        term.loss = ops::subtract(graph(), scaled, any_sum());
        break;
      }
      case 2:
        term.loss = ops::add(graph(), loss, ops::scale(graph(), any_sum(), -0.5F));
        break;
      case 3:
        term.loss = ops::log(graph(), ops::mean_rows(graph(), of.losses));
        break;
      case 4:
        term.loss = ops::divide(graph(), loss, layers_.one_and(any_sum()));
        break;
      case 5:
        term.loss = ops::add(graph(), loss, loss);
        break;
      case 6:
        terms.push_back(term);
        terms.back().name = message("again ", terms.size());
        break;
      case 7:  // a number that autodiff takes for a constant, by contract or by a node
        term.times = any_sum();
        if (choices_.once_in(2)) term.times = ops::stop_gradient(graph(), term.times);
        break;
      case 8: {
        const Value squares = ops::sum_features(graph(), ops::square(graph(), features_));
        term.loss =
            ops::add(graph(), loss, ops::scale(graph(), ops::mean_rows(graph(), squares), 0.1F));
        break;
      }
      case 9:
        if (of.labels.none()) break;
        term.loss = ops::scale(graph(), loss, 0.25F, counted(of));
        break;
      default:
        break;
    }
    terms.push_back(term);
  }

  Value counted(const RowLosses& of) {
    return of.binary ? ops::count_correct_binary(graph(), of.logits, of.labels)
                     : ops::count_correct(graph(), of.logits, of.labels);
  }

  void append_objective() {
    Objective objective;
    for (const RowLosses& loss : losses_) {
      for (std::uint32_t count = choices_.oddly(3) ? 2 : 1; count > 0; --count) {
        append_term(loss, objective.terms);
      }
    }
    if (!choose_group(objective)) return;  // nothing would be trained
    objective.with = optimizer();
    objective.learning_rate = ops::evaluate_schedule(graph(), draft.step,
                                                     {.kind = Schedule::Kind::kProgressDecay,
                                                      .start = 0.01,
                                                      .alpha = 10.0,
                                                      .beta = 0.75,
                                                      .total_steps = 7});
    draft.objective = std::move(objective);
  }

  // Of the parameters that a term depends on, all or some.
  bool choose_group(Objective& objective) {
    std::vector<Value> losses;
    for (const Term& term : objective.terms) losses.push_back(term.loss);
    const std::vector<char> reached = values_reached_from(graph(), losses);
    std::vector<std::string> names;
    bool all = true;
    for (std::int32_t id = 0; id < graph().num_values(); ++id) {
      const ValueInfo& info = graph().info({id});
      if (info.kind != ValueKind::kParameter || info.bank != 0) continue;
      if (!parameters[info.parameter].trained) continue;
      if (reached[static_cast<std::size_t>(id)] != 0) {
        names.push_back(info.name);
      } else {
        all = false;
      }
    }
    if (names.empty()) return false;
    if (all && !choices_.oddly(3)) return true;
    for (const std::string& name : names) {
      if (!choices_.once_in(3)) objective.over.push_back(name);
    }
    if (objective.over.empty()) objective.over.push_back(names[0]);
    return true;
  }

  Optimizer optimizer() {
    Optimizer with;
    const float decay = choices_.one_of({0.0F, 0.01F});
    switch (choices_.below(6)) {
      case 0:
        with.rule = SgdOptions{.momentum = 0.9F, .weight_decay = decay, .nesterov = true};
        break;
      case 1:
        // What is rounded differently must not become a whole step.
        with.rule =
            AdamOptions{.epsilon = 0.01F, .weight_decay = decay, .decoupled = choices_.once_in(2)};
        break;
      default:
        with.rule = SgdOptions{.momentum = choices_.one_of({0.0F, 0.9F}), .weight_decay = decay};
    }
    if (choices_.oddly(3)) with.max_norm = 0.5F;
    if (choices_.oddly(3)) with.without_decay = {"bias"};
    return with;
  }

  void show(const RowLosses& loss) {
    const std::string name = message("report ", draft.reports.size());
    const Rows of = graph().type(loss.losses).rows;
    if (choices_.once_in(3)) draft.reports.push_back({name + " rows", loss.losses});
    if (choices_.once_in(2)) {
      draft.reports.push_back({name + " sum", ops::sum_rows(graph(), loss.losses), of});
    }
    if (!loss.labels.none() && choices_.once_in(2)) {
      draft.reports.push_back({name + " correct", counted(loss), of});
    }
  }

  void append_shown() {
    for (const RowLosses& loss : losses_) {
      if (choices_.once_in(2)) show(loss);
    }
    draft.reports.push_back({"lambda", lambda_, {}, /*last=*/true});
    if (draft.objective) {
      if (choices_.once_in(2))
        draft.reports.push_back({"rate", draft.objective->learning_rate, {}, true});
      if (choices_.oddly(4)) draft.reports.push_back({"term", draft.objective->terms[0].loss});
      if (choices_.oddly(4)) draft.reads.push_back(draft.objective->terms.back().loss);
    }
    if (choices_.oddly(2)) draft.reads.push_back(any_sum());
    if (choices_.oddly(4)) {
      const Value sum = any_sum(), other = layers_.one_and(any_sum());
      draft.reports.push_back({"ratio", ops::divide(graph(), sum, other)});
    }
    if (choices_.oddly(2)) {
      results.push_back(choices_.once_in(3) ? features_ : choices_.one_of(rows_shown_));
      if (graph().info(results.back()).kind != ValueKind::kComputed) results.pop_back();
    }
    for (const Value result : results) graph().mark_result(result);
  }

  RandomChoices choices_;
  Value lambda_;
  RandomLayers layers_;
  Value features_, hidden_, class_labels_;
  std::vector<RowLosses> losses_;
  std::vector<Value> rows_shown_;
};

}  // namespace gradflip
