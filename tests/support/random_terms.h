// Terms of losses: weighed, combined and shared in many ways, most often as a rewrite can take them
// in, sometimes as it cannot.
#pragma once

#include <vector>

#include "kernels/require.h"
#include "runtime/graph.h"
#include "runtime/objective.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/stop_gradient.h"
#include "tests/support/random_choices.h"

namespace gradflip {

// What a head ends with.
struct RowLosses {
  Value losses;          // f32 rows x (), above zero
  Value logits, labels;  // none() where nothing is to be counted
  bool binary = false;
};

inline Value count_right(Graph& graph, const RowLosses& of) {
  return of.binary ? ops::count_correct_binary(graph, of.logits, of.labels)
                   : ops::count_correct(graph, of.logits, of.labels);
}

inline Value one_and(Graph& graph, Value x) {
  return ops::add(graph, x, ops::constant(graph, graph.type(x), 1.0F));
}

inline Value random_schedule(RandomChoices& choices, Graph& graph, Value step) {
  return ops::evaluate_schedule(
      graph, step,
      {.kind = choices.one_of({Schedule::Kind::kConstant, Schedule::Kind::kProgressDecay,
                               Schedule::Kind::kSigmoidRamp}),
       .start = choices.one_of({0.3, 0.7, 1.0}),
       .alpha = 10.0,
       .beta = 0.75,
       .gamma = 10.0,
       .total_steps = 7,
       .first_step = choices.one_of({-3, 0})});
}

class RandomTerms {
 public:
  // features: f32, rows of all segments x (any shape), which weigh rows now and then.
  RandomTerms(RandomChoices& choices, Graph& graph, Value step, Value lambda, Value features)
      : choices_(choices), graph_(graph), step_(step), lambda_(lambda), features_(features) {}

  void add(const RowLosses& losses) { losses_.push_back(losses); }
  const std::vector<RowLosses>& losses() const { return losses_; }

  std::vector<Term> terms() {
    for (const RowLosses& of : losses_) {
      for (std::uint32_t count = choices_.oddly(3) ? 2 : 1; count > 0; --count) append(of);
    }
    return std::move(terms_);
  }

  // Of any losses that there are, for whatever purpose.
  Value any_sum() { return summed(choices_.one_of(losses_).losses); }

 private:
  Value summed(Value losses) {
    switch (choices_.below(5)) {
      case 0:
        return ops::mean_rows(graph_, losses);
      case 1:
        return ops::sum_of_means(graph_, losses);
      case 2:
        return ops::sum_rows(graph_, losses);
      case 3:
        return ops::mean_rows(graph_, choices_.oddly(2) ? weighed(losses) : losses);
      default: {
        ops::RowWeights weights{
            .over = choices_.one_of({ops::Over::kNothing, ops::Over::kRows, ops::Over::kSegments})};
        weights.weights[0] = choices_.one_of({0.5F, 1.0F});
        weights.weights[1] = choices_.one_of({0.25F, 1.0F, 2.0F});
        return ops::sum_rows(graph_, losses, weights);
      }
    }
  }

  // Each row by a weight that the network has made.
  Value weighed(Value losses) {
    const Value sizes = ops::sum_features(graph_, ops::square(graph_, features_));
    Value weights = ops::divide(graph_, sizes, one_and(graph_, sizes));
    const Rows of = graph_.type(losses).rows;
    if (graph_.type(weights).rows != of) weights = ops::slice_rows(graph_, weights, of);
    if (choices_.once_in(2)) weights = ops::stop_gradient(graph_, weights);
    return ops::multiply(graph_, one_and(graph_, losses), weights);
  }

  // One that there is, or one that stands behind whatever it weighs.
  Value some_schedule() {
    return choices_.once_in(2) ? lambda_ : random_schedule(choices_, graph_, step_);
  }

  void append(const RowLosses& of) {
    const Value loss = summed(of.losses);
    Term term{message("term ", terms_.size()), loss, choices_.one_of({1.0F, 1.0F, 0.3F})};
    if (choices_.once_in(4)) term.times = some_schedule();
    if (choices_.oddly(2)) return append_oddly(of, term);
    if (terms_.empty() || !choices_.once_in(4)) return terms_.push_back(term);
    // With the one before, as one expression: lambda * L1 - L2.
    Value& before = terms_.back().loss;
    const Value scaled = ops::scale(graph_, loss, term.weight, term.times);
    before = choices_.once_in(2) ? ops::subtract(graph_, scaled, before)
                                 : ops::add(graph_, before, scaled);
  }

  void append_oddly(const RowLosses& of, Term term) {
    const RowLosses& other = choices_.one_of(losses_);
    switch (choices_.below(10)) {
      case 0: {  // losses of two terms
        const Value scaled = ops::scale(graph_, term.loss, 0.5F, some_schedule());
        term.loss = ops::subtract(graph_, scaled, any_sum());
        break;
      }
      case 1:
        term.loss = ops::log(graph_, ops::mean_rows(graph_, of.losses));
        break;
      case 2:
        term.loss = ops::divide(graph_, term.loss, one_and(graph_, any_sum()));
        break;
      case 3:
        term.loss = ops::add(graph_, term.loss, term.loss);
        break;
      case 4:
        terms_.push_back(term);
        term.name += " again";
        break;
      case 5:  // by a number that autodiff takes for a constant, by contract or by a node
        term.times = any_sum();
        if (choices_.once_in(2)) term.times = ops::stop_gradient(graph_, term.times);
        break;
      case 6: {
        const Value squares = ops::sum_features(graph_, ops::square(graph_, features_));
        const Value size = ops::scale(graph_, ops::mean_rows(graph_, squares), 0.1F);
        term.loss = ops::add(graph_, term.loss, size);
        break;
      }
      case 7:
        if (of.labels.none()) break;
        term.loss = ops::scale(graph_, term.loss, 0.25F, count_right(graph_, of));
        break;
      case 8:
        if (other.labels.none()) break;
        term.loss = ops::multiply(graph_, term.loss, one_and(graph_, count_right(graph_, other)));
        term.weight = 0.1F;
        break;
      default:  // the same losses once more
        terms_.push_back({term.name + " summed", ops::sum_rows(graph_, of.losses)});
        break;
    }
    terms_.push_back(term);
  }

  RandomChoices& choices_;
  Graph& graph_;
  Value step_, lambda_, features_;
  std::vector<RowLosses> losses_;
  std::vector<Term> terms_;
};

}  // namespace gradflip
