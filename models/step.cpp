#include "models/step.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "kernels/require.h"
#include "runtime/ops/gather.h"
#include "runtime/ops/sample.h"
#include "runtime/ops/schedule.h"
#include "runtime/random.h"

namespace gradflip {

Step::Step(const StepSetting& setting, std::string name, bool own_samples) : setting_(setting) {
  draft_.name = std::move(name);
  draft_.step = draft_.graph.external("step", {Dtype::kI64, {}, {}});
  if (own_samples) draft_.runs = draft_.graph.external("runs", {Dtype::kI64, {}, {}});
}

Value Step::indices(int domain) {
  const auto index = static_cast<std::size_t>(domain);
  if (!indices_[index].none()) return indices_[index];
  const DatasetShape& data = domain == kSource ? setting_.source : setting_.target;
  GRADFLIP_REQUIRE(data.count > 0,
                   "there is no target to draw samples of; a method that does sets "
                   "Method::reads_target");
  rows_[index] = domain == kSource ? training().source_batch : training().target_batch;
  // An order of its own beside the step's.
  const std::uint32_t order = draft_.runs.none() ? 0 : stream_of(draft_.name);
  indices_[index] = ops::sample_indices(draft_.graph, counter(), domain,
                                        {.seed = setting_.seed,
                                         .stream = static_cast<std::uint32_t>(domain) + order,
                                         .size = data.count,
                                         .batch = rows_[index]});
  return indices_[index];
}

Value Step::samples(Rows domains) {
  std::vector<Augmentation> of_source;
  if (domains.contains_segment(kSource)) of_source.push_back(source_augmentation(training()));
  if (domains.contains_segment(kTarget)) of_source.push_back(target_augmentation(training()));
  return drawn(domains, 0, std::move(of_source));
}

Value Step::view(Rows domains, const Augmentation& augmentation, int number) {
  return drawn(domains, number,
               std::vector<Augmentation>(static_cast<std::size_t>(std::popcount(domains.mask)),
                                         augmentation));
}

Rows Step::further_rows(int domain) {
  indices(domain);  // they are as many as it draws
  GRADFLIP_REQUIRE(std::ssize(rows_) < kMaxSegments,
                   message("a step has at most ", kMaxSegments, " segments of rows"));
  rows_.push_back(rows_.at(static_cast<std::size_t>(domain)));
  domains_.push_back(domain);
  return segment_rows(static_cast<int>(rows_.size()) - 1);
}

Value Step::drawn(Rows domains, int view, std::vector<Augmentation> of_source) {
  GRADFLIP_REQUIRE(!domains.none() && kBothRows.contains(domains),
                   "samples are of the source, the target, or both");
  for (const Drawn& known : drawn_) {
    if (known.domains == domains && known.view == view && known.of_source == of_source) {
      return known.samples;
    }
  }
  if (inputs_.input.domains.empty()) {
    inputs_.input = declare_input(draft_.graph, setting_.network.input);
  }
  std::vector<InputSource> sources;
  if (domains.contains_segment(kSource)) {
    Value& data = inputs_.source_samples;
    if (data.none()) data = draft_.graph.external("source samples", setting_.source.type());
    sources.push_back({data, indices(kSource), kSource});
  }
  if (domains.contains_segment(kTarget)) {
    const Value rows = indices(kTarget);
    Value& data = inputs_.target_samples;
    if (data.none()) data = draft_.graph.external("target samples", setting_.target.type());
    sources.push_back({data, rows, kTarget});
  }
  const bool unchanged =
      std::all_of(of_source.begin(), of_source.end(),
                  [](const Augmentation& augmentation) { return augmentation.steps.empty(); });
  Graph& graph = draft_.graph;
  const NetworkInput& input = setting_.network.input;
  const Value samples = unchanged ? gather_input(graph, input, inputs_.input, sources)
                                  : augmented_input(graph, input, inputs_.input, sources,
                                                    {counter(), setting_.seed, view, of_source});
  drawn_.push_back({domains, view, std::move(of_source), samples});
  return samples;
}

Value Step::labels() {
  if (inputs_.labels.none()) {
    inputs_.labels = draft_.graph.external("labels", {Dtype::kI32, {setting_.source.count}, {}});
  }
  if (row_labels_.none()) {
    row_labels_ = ops::gather_labels(draft_.graph, inputs_.labels, indices(kSource));
  }
  return row_labels_;
}

NetworkBuilder& Step::builder(int bank) {
  GRADFLIP_REQUIRE(bank >= 0, message("there is no bank ", bank));
  while (std::ssize(builders_) <= bank) {
    Pass pass = pass_of(training());
    pass.bank = static_cast<int>(builders_.size());
    if (pass.bank == 0) {
      pass.training = {.step = counter(), .seed = setting_.seed};
    }
    builders_.emplace_back(draft_.graph, setting_.parameters, std::move(pass));
  }
  NetworkBuilder& builder = builders_[static_cast<std::size_t>(bank)];
  builder.set_segments(domains_, rows_);
  return builder;
}

Draft Step::take_draft() {
  if (!builders_.empty()) draft_.running = builders_.front().kept();
  return std::move(draft_);
}

Value Step::feature_extractor(Value x, int bank) {
  require_part(setting_.network.feature_extractor != nullptr, "feature_extractor");
  const Rows domains = graph().type(x).rows;
  for (std::size_t domain = 0; domain < rows_.size(); ++domain) {
    if (domains.contains_segment(static_cast<int>(domain))) images_ += rows_[domain];
  }
  return setting_.network.feature_extractor(builder(bank), x);
}

Value Step::label_predictor(Value features, int bank) {
  require_part(setting_.network.label_predictor != nullptr, "label_predictor");
  return require_logits(
      setting_.network.label_predictor(builder(bank), features, setting_.num_classes),
      setting_.num_classes, "label_predictor");
}

Value Step::domain_classifier(Value features, std::int64_t num_logits, int bank) {
  require_part(setting_.network.domain_classifier != nullptr, "domain_classifier");
  return require_logits(setting_.network.domain_classifier(builder(bank), features, num_logits),
                        num_logits, "domain_classifier");
}

void Step::require_part(bool there, const char* part) const {
  GRADFLIP_REQUIRE(there, message("the network ", setting_.network.name, " has no ", part));
}

Value Step::require_logits(Value logits, std::int64_t count, const char* part) const {
  const ValueType& type = draft_.graph.type(logits);
  GRADFLIP_REQUIRE(type.dtype == Dtype::kF32 && !type.rows.none() && type.shape == Shape{count},
                   message("the ", part, " of ", setting_.network.name, " gives ", type.text(),
                           ", and rows of ", count, " logits are needed"));
  return logits;
}

Value Step::schedule(Schedule schedule) {
  GRADFLIP_REQUIRE(schedule.kind != Schedule::Kind::kSigmoidRamp || schedule.gamma > 0.0,
                   message("a ramp needs a gamma above 0, not ", schedule.gamma));
  schedule.total_steps = total_steps();
  return ops::evaluate_schedule(draft_.graph, draft_.step, schedule);
}

Value Step::learning_rate() {
  if (learning_rate_.none()) {
    learning_rate_ = schedule(learning_rate_schedule(training(), total_steps()));
  }
  return learning_rate_;
}

void Step::minimise(std::vector<Term> terms, ParameterGroup over) {
  minimise({.terms = std::move(terms),
            .over = std::move(over),
            .with = optimizer_of(training()),
            .learning_rate = learning_rate()});
}

void Step::minimise(Objective objective) {
  GRADFLIP_REQUIRE(!draft_.objective, "one update makes one objective small");
  draft_.objective = std::move(objective);
}

}  // namespace gradflip
