// Random drafts: all that compile() can meet. A network on two segments of rows, heads with losses
// of both kinds, terms that weigh and combine them, something of everything to show, and an update
// of some of the parameters.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernels/require.h"
#include "runtime/draft.h"
#include "runtime/gradient_flow.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/softmax_cross_entropy.h"
#include "runtime/parameters.h"
#include "tests/support/random_choices.h"
#include "tests/support/random_inputs.h"
#include "tests/support/random_layers.h"
#include "tests/support/random_terms.h"

namespace gradflip {

class RandomDraft {
 public:
  // rows: of the two segments.
  explicit RandomDraft(std::uint32_t seed, std::vector<std::int64_t> rows_of_segments = {5, 3})
      : rows(std::move(rows_of_segments)),
        choices_(seed),
        lambda_(declare_schedules()),
        inputs_(choices_, draft.graph, draft.step, rows),
        layers_(choices_, draft, parameters, lambda_, rows),
        features_(features()),
        terms_(choices_, draft.graph, draft.step, lambda_, features_) {
    const std::uint32_t heads = 1 + choices_.below(3);
    for (std::uint32_t head = 0; head < heads; ++head) append_head(message("head", head));
    if (choices_.oddly(4)) append_teacher();
    if (!choices_.oddly(8)) append_objective();
    append_shown();
  }
  RandomDraft(const RandomDraft&) = delete;  // its layers refer to it
  RandomDraft& operator=(const RandomDraft&) = delete;

  // External values to be bound, beside the step.
  const std::vector<RandomInputs::Input>& inputs() const { return inputs_.external; }
  std::int64_t rows_of(Rows of) const {
    return (of.contains_segment(0) ? rows[0] : 0) + (of.contains_segment(1) ? rows[1] : 0);
  }

  static constexpr int kBanks = 2;

  Draft draft;
  Parameters parameters;
  std::vector<Value> results;  // that leave, with rows
  std::vector<std::int64_t> rows;

 private:
  static constexpr std::int64_t kClasses = RandomInputs::kClasses;

  Graph& graph() { return draft.graph; }
  Value declare_schedules() {
    draft.step = graph().external("step", {Dtype::kI64, {}, {}});
    return random_schedule(choices_, graph(), draft.step);
  }

  // Of both segments.
  Value features() {
    Value x = inputs_.pictures;
    const std::uint32_t blocks = choices_.oddly(4) ? 0 : 1 + choices_.below(2);
    for (std::uint32_t block = 0; block < blocks; ++block) {
      x = layers_.convolution(message("feature_extractor.conv", block), x);
      if (choices_.oddly(5)) x = layers_.arithmetic(x);
    }
    if (blocks == 0 || choices_.once_in(5)) {
      x = layers_.hidden("feature_extractor.fc", x, 1 + choices_.below(9));
    }
    for (std::uint32_t more = choices_.oddly(2) ? 1 + choices_.below(3) : 0; more > 0; --more) {
      x = layers_.arithmetic(x);
    }
    return x;
  }

  void append_head(const std::string& name) {
    Value x = layers_.view(hidden_.none() || !choices_.oddly(4) ? features_ : hidden_);
    if (choices_.oddly(5)) x = layers_.arithmetic(x);
    const std::uint32_t layers = choices_.below(3);
    for (std::uint32_t layer = 0; layer < layers; ++layer) {
      // Wider than the kernels of small heads take, now and then.
      const std::int64_t out = choices_.oddly(20) ? 257 : choices_.one_of({1, 3, 8});
      x = hidden_ = layers_.hidden(message(name, ".fc", layer), x, out);
    }
    const Value logits_of = x;
    RowLosses loss;
    loss.binary = choices_.once_in(2);
    const bool classes = !loss.binary && graph().type(x).rows.contains(segment_rows(0));
    if (classes)
      x = graph().type(x).rows == segment_rows(0) ? x
                                                  : ops::slice_rows(graph(), x, segment_rows(0));
    loss.logits = layers_.layer(name + ".logits", x, loss.binary ? 1 : classes ? kClasses : 2);
    loss.labels = classes ? inputs_.classes : domain_labels(graph().type(x).rows, loss.binary);
    loss.losses = loss.binary ? ops::bce_with_logits(graph(), loss.logits, loss.labels)
                              : ops::softmax_cross_entropy(graph(), loss.logits, loss.labels,
                                                           choices_.one_of({0.0F, 0.1F}));
    rows_shown_.insert(rows_shown_.end(), {logits_of, loss.logits, loss.losses});
    terms_.add(loss);
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
    loss.losses = one_and(graph(), ops::sum_features(graph(), ops::square(graph(), apart)));
    terms_.add(loss);
    if (choices_.once_in(2))
      draft.averages.push_back({1, 0.9F, choices_.once_in(2) ? lambda_ : Value{}});
  }

  void append_objective() {
    Objective objective;
    objective.terms = terms_.terms();
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
    losses.reserve(objective.terms.size());
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
      draft.reports.push_back({name + " correct", count_right(graph(), loss), of});
    }
  }

  void append_shown() {
    for (const RowLosses& loss : terms_.losses()) {
      if (choices_.once_in(2)) show(loss);
    }
    draft.reports.push_back({"lambda", lambda_, {}, /*last=*/true});
    if (draft.objective) {
      if (choices_.once_in(2))
        draft.reports.push_back({"rate", draft.objective->learning_rate, {}, true});
      if (choices_.oddly(4)) draft.reports.push_back({"term", draft.objective->terms[0].loss});
      if (choices_.oddly(4)) draft.reads.push_back(draft.objective->terms.back().loss);
    }
    if (choices_.oddly(2)) draft.reads.push_back(terms_.any_sum());
    if (choices_.oddly(4)) {
      const Value sum = terms_.any_sum(), other = one_and(graph(), terms_.any_sum());
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
  RandomInputs inputs_;
  RandomLayers layers_;
  Value features_, hidden_;
  RandomTerms terms_;
  std::vector<Value> rows_shown_;
};

}  // namespace gradflip
