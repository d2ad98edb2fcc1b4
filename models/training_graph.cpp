#include "models/training_graph.h"

#include <array>

#include "models/dann.h"
#include "models/layers.h"
#include "models/methods/dann_options.h"
#include "runtime/fusion.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/gather.h"
#include "runtime/ops/record.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/sample.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/softmax_cross_entropy.h"

namespace gradflip {
namespace {

// Every value that the trainer reads, in one list, so that a rewrite can carry them over.
std::vector<Value*> values_of(TrainingGraph& t) {
  ops::UpdateValues& update = t.update.update;
  return {&t.labelled_samples, &t.labels,         &t.unlabelled_samples,
          &t.input.means,      &t.input.scales,   &t.records,
          &update.weights,     &update.gradients, &update.slots[0],
          &t.update.step,      &update.guard,     &t.label_loss,
          &t.domain_loss,      &t.domain_correct, &t.lambda,
          &t.learning_rate};
}

std::vector<Value*> values_of(std::vector<Term>& terms) {
  std::vector<Value*> values;
  for (Term& term : terms) values.insert(values.end(), {&term.loss, &term.times});
  return values;
}

std::vector<Value*> values_of(EvaluationGraph& e) {
  return {&e.step, &e.samples, &e.labels, &e.input.means, &e.input.scales, &e.correct};
}

// Applies a rewrite(graph, keep) and follows the values to where they are now.
template <typename Rewrite>
void apply(const Rewrite& rewrite, Graph& graph, std::span<Value* const> values) {
  std::vector<Value> keep;
  for (const Value* value : values) keep.push_back(*value);
  Rewritten rewritten = rewrite(graph, keep);
  for (Value* value : values) *value = rewritten(*value);
  graph = std::move(rewritten.graph);
}

template <typename Rewrite>
void apply(const Rewrite& rewrite, EvaluationGraph& evaluation) {
  apply(rewrite, evaluation.graph, values_of(evaluation));
}

// The terms are those of the graph before and after.
template <typename Rewrite>
void apply(const Rewrite& rewrite, TrainingGraph& training, std::vector<Term>& terms) {
  std::vector<Value*> values = values_of(training);
  const std::vector<Value*> of_terms = values_of(terms);
  values.insert(values.end(), of_terms.begin(), of_terms.end());
  apply(rewrite, training.graph, values);
}

// fuse_losses follows the terms itself, which others must not seem to read.
void fuse_losses_of(TrainingGraph& training, std::vector<Term>& terms) {
  apply([&](const Graph& graph,
            std::span<const Value> keep) { return fuse_losses(graph, keep, terms); },
        training.graph, values_of(training));
}

// fuse_sampled_input as `apply` wants it.
auto fuse_head(SampledPictures pictures) {
  return [pictures](const Graph& graph, std::span<const Value> keep) {
    return fuse_sampled_input(graph, keep, pictures);
  };
}

void declare_inputs(TrainingGraph& t, const NetworkInput& input, const DatasetShape& labelled,
                    const DatasetShape& unlabelled) {
  t.update.step = t.graph.external("step", {Dtype::kI64, {}, {}});
  t.labelled_samples = t.graph.external("labelled samples", labelled.type());
  t.labels = t.graph.external("labels", {Dtype::kI32, {labelled.count}, {}});
  t.input = declare_input(t.graph, input);
  if (unlabelled.count > 0) {
    t.unlabelled_samples = t.graph.external("unlabelled samples", unlabelled.type());
  }
}

// Samples in, losses out: the forward half of a step. What it returns is to be made small.
std::vector<Term> append_forward(TrainingGraph& t, const Recipe& recipe, const NetworkInput& input,
                                 const DatasetShape& labelled, std::int64_t num_classes,
                                 const DatasetShape& unlabelled, std::uint64_t seed,
                                 std::int64_t total_steps, Parameters& parameters) {
  Graph& graph = t.graph;
  const TrainingOptions& options = recipe.training;
  NetworkBuilder network(graph, parameters, options.precision);
  const auto sample = [&](int domain, std::int64_t size, std::int64_t batch) {
    return ops::sample_indices(
        graph, t.update.step, domain,
        {.seed = seed, .stream = static_cast<std::uint32_t>(domain), .size = size, .batch = batch});
  };
  const Value source_indices = sample(kSource, labelled.count, options.source_batch);
  std::vector<InputSource> sources{{t.labelled_samples, source_indices}};
  if (unlabelled.count > 0) {
    sources.push_back(
        {t.unlabelled_samples, sample(kTarget, unlabelled.count, options.target_batch)});
  }
  const Value x = gather_input(graph, input, t.input, sources);
  const Value labels = ops::gather_labels(graph, t.labels, source_indices);

  const Value features = feature_extractor(network, x);
  const Value source_features =
      unlabelled.count > 0 ? ops::slice_rows(graph, features, segment_rows(kSource)) : features;
  const Value label_logits = label_predictor(network, source_features, num_classes);
  const Value label_losses = ops::softmax_cross_entropy(
      graph, label_logits, labels, static_cast<float>(options.label_smoothing));
  t.label_loss = ops::sum_rows(graph, label_losses);
  const Term label_term{"label loss", ops::mean_rows(graph, label_losses)};
  if (unlabelled.count == 0) return {label_term};

  const auto& dann = recipe.of<DannOptions>();
  t.lambda = ops::evaluate_schedule(graph, t.update.step, lambda_schedule(dann, total_steps));
  // Where lambda weighs the classifier's own loss, the reversal must not apply it a second time.
  const Value reversal =
      dann.lambda_applies_to == LambdaAppliesTo::kBoth
          ? ops::evaluate_schedule(graph, t.update.step,
                                   {.kind = Schedule::Kind::kConstant, .start = 1.0})
          : t.lambda;
  const Value domain_logits = domain_classifier(network, features, reversal, dann.domain_logits);
  const DomainLoss loss = domain_loss(graph, domain_logits, dann, options, t.lambda);
  t.domain_loss = loss.loss;
  t.domain_correct = loss.correct;
  return {label_term, loss.term};
}

void append_records(TrainingGraph& t, std::int64_t capacity) {
  std::vector<Value> scalars{t.label_loss, t.learning_rate};
  if (!t.domain_loss.none()) {
    scalars.insert(scalars.end(), {t.domain_loss, t.domain_correct, t.lambda});
  }
  t.records = t.graph.external(
      "records", {Dtype::kF32, {capacity, static_cast<std::int64_t>(scalars.size())}, {}});
  ops::record(t.graph, t.records, t.update.step, scalars);
}

}  // namespace

TrainingGraph build_training_graph(const Recipe& recipe, const NetworkInput& input,
                                   const DatasetShape& labelled, std::int64_t num_classes,
                                   const DatasetShape& unlabelled, std::uint64_t seed,
                                   std::int64_t total_steps, Parameters& parameters,
                                   const TrainingGraphOptions& graph_options) {
  const TrainingOptions& options = recipe.training;
  TrainingGraph training;
  declare_inputs(training, input, labelled, unlabelled);
  std::vector<Term> terms = append_forward(training, recipe, input, labelled, num_classes,
                                           unlabelled, seed, total_steps, parameters);
  training.learning_rate = ops::evaluate_schedule(training.graph, training.update.step,
                                                  learning_rate_schedule(options, total_steps));
  const bool fuse_whole = graph_options.fuse && graph_options.whole_batch;
  if (graph_options.fuse) apply(fuse_conv_blocks, training, terms);
  if (graph_options.fuse) fuse_losses_of(training, terms);
  if (fuse_whole) apply(fuse_head(SampledPictures::kKeepForGradient), training, terms);
  if (fuse_whole) apply(fuse_heads, training, terms);
  // Ahead of the update, which raises the step.
  if (graph_options.record_capacity > 0) append_records(training, graph_options.record_capacity);
  training.update = append_training_step(
      training.graph, training.update.step, terms, parameters,
      {static_cast<float>(options.momentum), static_cast<float>(options.weight_decay)},
      training.learning_rate);
  if (graph_options.fuse) apply(fuse_linear_merges, training, terms);
  if (fuse_whole) apply(fuse_training_update, training, terms);
  return training;
}

bool is_guarded_gradient(std::int32_t quantity, bool has_domain_classifier) {
  return quantity > (has_domain_classifier ? 1 : 0);
}

const char* guarded_quantity(std::int32_t quantity, bool has_domain_classifier) {
  if (is_guarded_gradient(quantity, has_domain_classifier)) return "gradient";
  return quantity == 0 ? "label loss" : "domain loss";
}

EvaluationGraph build_evaluation_graph(const NetworkInput& input, const DatasetShape& data,
                                       std::int64_t num_classes, std::int64_t batch, Math precision,
                                       const Parameters& parameters, bool whole_batch) {
  EvaluationGraph evaluation;
  Graph& graph = evaluation.graph;
  evaluation.step = graph.external("step", {Dtype::kI64, {}, {}});
  evaluation.samples = graph.external("samples", data.type());
  evaluation.labels = graph.external("labels", {Dtype::kI32, {data.count}, {}});
  evaluation.input = declare_input(graph, input);
  NetworkBuilder network(graph, parameters, precision);
  const Value indices = ops::sample_indices(graph, evaluation.step, kSource,
                                            {.size = data.count, .batch = batch, .shuffle = false});
  const std::array<InputSource, 1> sources{{{evaluation.samples, indices}}};
  const Value x = gather_input(graph, input, evaluation.input, sources);
  const Value logits = label_predictor(network, feature_extractor(network, x), num_classes);
  evaluation.correct =
      ops::count_correct(graph, logits, ops::gather_labels(graph, evaluation.labels, indices));
  ops::advance_step(graph, evaluation.step);

  apply(fuse_conv_blocks, evaluation);
  if (whole_batch) apply(fuse_head(SampledPictures::kDrop), evaluation);
  return evaluation;
}

}  // namespace gradflip
