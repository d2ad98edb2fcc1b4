// Drafts of a small network, and programs of them that run as one step.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <limits>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/context.h"
#include "runtime/draft.h"
#include "runtime/graph.h"
#include "runtime/memory.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/softmax_cross_entropy.h"
#include "runtime/parameters.h"
#include "runtime/program.h"
#include "runtime/sequence.h"
#include "runtime/state.h"
#include "runtime/workers.h"
#include "tests/support/random_data.h"

namespace gradflip {

inline const std::vector<std::int64_t> kDrawnRows{41, 37};
inline constexpr std::int64_t kProgramInputs = 5, kProgramClasses = 3, kProgramCapacity = 4;
inline constexpr Rows kDrawnSource = segment_rows(0), kDrawnTarget = segment_rows(1);

// Writes a network of three parts into a draft, on pictures that are external.
class ProgramAuthor {
 public:
  ProgramAuthor(Draft& draft, Parameters& parameters, int bank = 0)
      : draft_(draft), parameters_(parameters), bank_(bank) {}

  Value external(const std::string& name, const ValueType& type) {
    return draft_.graph.external(name, type);
  }
  Value layer(const std::string& name, Value x, std::int64_t out) {
    const Value weight = parameter(name + ".weight", {out, draft_.graph.type(x).shape.size()});
    const Value y = ops::linear(draft_.graph, x, weight);
    return ops::bias(draft_.graph, y, parameter(name + ".bias", {out}));
  }
  Value features(Value x) { return ops::relu(draft_.graph, layer("feature_extractor.fc1", x, 16)); }
  Value logits(Value features) {
    const Value h = ops::relu(draft_.graph, layer("label_predictor.fc1", features, 8));
    return layer("label_predictor.fc2", h, kProgramClasses);
  }
  Value domain(Value features) {
    const Value h = ops::relu(draft_.graph, layer("domain_classifier.fc1", features, 8));
    return layer("domain_classifier.fc2", h, 1);
  }

 private:
  Value parameter(const std::string& name, const Shape& shape) {
    const std::vector<Parameter>& list = parameters_.list();
    std::size_t index = 0;
    while (index < list.size() && list[index].name != name) ++index;
    if (index == list.size()) {
      parameters_.add(name, shape, FileLayout::same(shape), Uniform{0.5F});
    }
    return draft_.graph.parameter(static_cast<std::int32_t>(index), name, shape, bank_);
  }

  Draft& draft_;
  Parameters& parameters_;
  int bank_;
};

struct ProgramInputs {
  Value source, target, labels;
};

inline ProgramInputs declare_program_inputs(Draft& draft) {
  draft.step = draft.graph.external("step", {Dtype::kI64, {}, {}});
  return {draft.graph.external("source", {Dtype::kF32, {kProgramInputs}, kDrawnSource}),
          draft.graph.external("target", {Dtype::kF32, {kProgramInputs}, kDrawnTarget}),
          draft.graph.external("labels", {Dtype::kI32, {}, kDrawnSource})};
}

inline Value domain_labels_of(Graph& graph, int source, int target) {
  return ops::constant_rows(graph, std::array<ops::SegmentNumber, 2>{{{0, source}, {1, target}}});
}

struct WrittenProgram {
  Draft draft;
  ProgramInputs inputs;
};

// Ganin's update of everything.
inline WrittenProgram program_dann(Parameters& parameters) {
  WrittenProgram w;
  w.inputs = declare_program_inputs(w.draft);
  Graph& graph = w.draft.graph;
  ProgramAuthor net(w.draft, parameters);
  const Value features =
      net.features(ops::concat_rows(graph, std::array{w.inputs.source, w.inputs.target}));
  const Value logits = net.logits(ops::slice_rows(graph, features, kDrawnSource));
  const Value losses = ops::softmax_cross_entropy(graph, logits, w.inputs.labels);
  const Value lambda = ops::evaluate_schedule(
      graph, w.draft.step,
      {.kind = Schedule::Kind::kSigmoidRamp, .start = 1.0, .gamma = 10.0, .total_steps = 20});
  const Value domain = net.domain(ops::grl(graph, features, lambda));
  const Value truth = domain_labels_of(graph, 0, 1);
  const Value domain_losses = ops::bce_with_logits(graph, domain, truth);
  const Value rate = ops::evaluate_schedule(graph, w.draft.step, {.start = 0.1});
  w.draft.name = "dann";
  w.draft.objective = {.terms = {{"label loss", ops::mean_rows(graph, losses)},
                                 {"domain loss", ops::sum_of_means(graph, domain_losses)}},
                       .with = {.rule = SgdOptions{.momentum = 0.9F}},
                       .learning_rate = rate};
  w.draft.reports = {{"label_loss", losses},
                     {"domain_loss", domain_losses},
                     {"domain_accuracy", ops::count_correct_binary(graph, domain, truth),
                      kDrawnSource | kDrawnTarget},
                     {"lambda", lambda}};
  return w;
}

// The adversary's update, and the extractor's against it.
inline std::vector<WrittenProgram> program_adversaries(Parameters& parameters) {
  std::vector<WrittenProgram> all;
  for (const bool against : {false, true}) {
    WrittenProgram& w = all.emplace_back();
    w.inputs = declare_program_inputs(w.draft);
    Graph& graph = w.draft.graph;
    ProgramAuthor net(w.draft, parameters);
    const Value features =
        net.features(ops::concat_rows(graph, std::array{w.inputs.source, w.inputs.target}));
    const Value domain = net.domain(features);
    const Value losses = ops::bce_with_logits(
        graph, domain, against ? domain_labels_of(graph, 1, 0) : domain_labels_of(graph, 0, 1));
    const Value rate = ops::evaluate_schedule(graph, w.draft.step, {.start = 0.01});
    std::vector<Term> terms{{"domain loss", ops::sum_of_means(graph, losses)}};
    if (against) {
      const Value logits = net.logits(ops::slice_rows(graph, features, kDrawnSource));
      const Value label_losses = ops::softmax_cross_entropy(graph, logits, w.inputs.labels);
      terms.push_back({"label loss", ops::mean_rows(graph, label_losses)});
      w.draft.reports = {{"label_loss", label_losses}};
    }
    w.draft.name = against ? "generator" : "adversary";
    w.draft.objective = {
        .terms = terms,
        .over = against ? ParameterGroup{"feature_extractor", "label_predictor"}
                        : ParameterGroup{"domain_classifier"},
        .with = {.rule = against ? ops::OptimizerRule(SgdOptions{.momentum = 0.9F})
                                 : ops::OptimizerRule(AdamOptions{}),
                 .max_norm = against ? 0.5F : std::numeric_limits<float>::infinity(),
                 .without_decay = {"bias"}},
        .learning_rate = rate};
    w.draft.reports.push_back({against ? "generator_loss" : "adversary_loss", losses});
  }
  return all;
}

// What a run owns.
class ProgramRun {
 public:
  ProgramRun(const Context& context, std::vector<WrittenProgram> written, Parameters& parameters,
             bool fuse, int threads = 1, int banks = 1)
      : context_(context), written_(std::move(written)), workers_(threads), sequence_(context) {
    std::vector<UpdatedGroup> groups;
    for (const WrittenProgram& w : written_) groups.push_back(updated_group(w.draft));
    state_ = std::make_unique<State>(context, parameters, /*seed=*/1, groups, banks);
    const Buffer& source = upload(random_floats(kDrawnRows[0] * kProgramInputs, 2));
    const Buffer& target = upload(random_floats(kDrawnRows[1] * kProgramInputs, 3));
    const Buffer& labels = upload(random_labels(kDrawnRows[0], kProgramClasses, 4));
    std::int32_t quantities = 0;
    for (const WrittenProgram& w : written_) {
      Program& program =
          programs_.emplace_back(w.draft, parameters, *state_, context_, workers_, kDrawnRows,
                                 ProgramOptions{.fuse = fuse,
                                                .record_capacity = kProgramCapacity,
                                                .advance = &w == &written_.back(),
                                                .first_quantity = quantities});
      quantities += static_cast<std::int32_t>(program.quantities().size());
      program.bind(w.inputs.source, source.data());
      program.bind(w.inputs.target, target.data());
      program.bind(w.inputs.labels, labels.data());
      sequence_.append(program.executor(), kDrawnRows);
    }
  }

  void run(std::int64_t steps) {
    sequence_.run(steps);
    for (Program& program : programs_) program.fetch_records();
  }
  Program& program(std::size_t index) { return *std::next(programs_.begin(), index); }
  const State& state() const { return *state_; }
  const Recording* recorded_step() const { return sequence_.recorded_step(); }

  std::vector<float> bank(int index = 0) const {
    const Buffer& memory = state_->parameter_blocks().bank(index);
    std::vector<float> flat(static_cast<std::size_t>(memory.bytes() / 4));
    copy_to_host(context_, flat.data(), memory.data(), memory.bytes());
    return flat;
  }

 private:
  template <typename T>
  const Buffer& upload(const std::vector<T>& contents) {
    const Buffer& memory =
        inputs_.emplace_back(context_, static_cast<std::int64_t>(contents.size() * sizeof(T)));
    copy_from_host(context_, memory.data(), contents.data(), memory.bytes());
    return memory;
  }

  Context context_;
  std::vector<WrittenProgram> written_;
  Workers workers_;
  Sequence sequence_;
  std::unique_ptr<State> state_;
  std::list<Buffer> inputs_;
  std::list<Program> programs_;
};

}  // namespace gradflip
