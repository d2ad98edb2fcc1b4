// Drafts made to run: one update fused and unfused, and steps of several updates over groups of
// their own.
#include "runtime/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <list>
#include <memory>

#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/softmax_cross_entropy.h"
#include "runtime/sequence.h"
#include "runtime/sharding.h"
#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const std::vector<std::int64_t> kDrawnRows{41, 37};
constexpr std::int64_t kProgramInputs = 5, kProgramClasses = 3, kProgramCapacity = 4;
const Rows kDrawnSource = segment_rows(0), kDrawnTarget = segment_rows(1);

// Writes a network of three parts into a draft, on pictures that are external.
class Author {
 public:
  Author(Draft& draft, Parameters& parameters, int bank = 0)
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

struct Inputs {
  Value source, target, labels;
};

Inputs declare(Draft& draft) {
  draft.step = draft.graph.external("step", {Dtype::kI64, {}, {}});
  return {draft.graph.external("source", {Dtype::kF32, {kProgramInputs}, kDrawnSource}),
          draft.graph.external("target", {Dtype::kF32, {kProgramInputs}, kDrawnTarget}),
          draft.graph.external("labels", {Dtype::kI32, {}, kDrawnSource})};
}

Value domains(Graph& graph, int source, int target) {
  return ops::constant_rows(graph, std::array<ops::SegmentNumber, 2>{{{0, source}, {1, target}}});
}

struct Written {
  Draft draft;
  Inputs inputs;
};

// Ganin's update of everything.
Written dann(Parameters& parameters) {
  Written w;
  w.inputs = declare(w.draft);
  Graph& graph = w.draft.graph;
  Author net(w.draft, parameters);
  const Value features =
      net.features(ops::concat_rows(graph, std::array{w.inputs.source, w.inputs.target}));
  const Value logits = net.logits(ops::slice_rows(graph, features, kDrawnSource));
  const Value losses = ops::softmax_cross_entropy(graph, logits, w.inputs.labels);
  const Value lambda = ops::evaluate_schedule(
      graph, w.draft.step,
      {.kind = Schedule::Kind::kSigmoidRamp, .start = 1.0, .gamma = 10.0, .total_steps = 20});
  const Value domain = net.domain(ops::grl(graph, features, lambda));
  const Value truth = domains(graph, 0, 1);
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
std::vector<Written> adversaries(Parameters& parameters) {
  std::vector<Written> all;
  for (const bool against : {false, true}) {
    Written& w = all.emplace_back();
    w.inputs = declare(w.draft);
    Graph& graph = w.draft.graph;
    Author net(w.draft, parameters);
    const Value features =
        net.features(ops::concat_rows(graph, std::array{w.inputs.source, w.inputs.target}));
    const Value domain = net.domain(features);
    const Value losses =
        ops::bce_with_logits(graph, domain, against ? domains(graph, 1, 0) : domains(graph, 0, 1));
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
  ProgramRun(const Context& context, std::vector<Written> written, Parameters& parameters,
             bool fuse, int threads = 1, int banks = 1)
      : context_(context), written_(std::move(written)), workers_(threads), sequence_(context) {
    std::vector<UpdatedGroup> groups;
    for (const Written& w : written_) groups.push_back(updated_group(w.draft));
    state_ = std::make_unique<State>(context, parameters, /*seed=*/1, groups, banks);
    const Buffer& source = upload(random_floats(kDrawnRows[0] * kProgramInputs, 2));
    const Buffer& target = upload(random_floats(kDrawnRows[1] * kProgramInputs, 3));
    const Buffer& labels = upload(random_labels(kDrawnRows[0], kProgramClasses, 4));
    std::int32_t quantities = 0;
    for (const Written& w : written_) {
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
  std::vector<Written> written_;
  Workers workers_;
  Sequence sequence_;
  std::unique_ptr<State> state_;
  std::list<Buffer> inputs_;
  std::list<Program> programs_;
};

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double apart = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(apart <= largest)) largest = apart;  // NaN, too
  }
  return largest;
}

template <typename Ctx>
class ProgramTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(ProgramTest, Backends, BackendNames);

TYPED_TEST(ProgramTest, FusionChangesNothingButTheWork) {
  Parameters parameters, same;
  ProgramRun fused(this->ctx(), {dann(parameters)}, parameters, true);
  ProgramRun apart(this->ctx(), {dann(same)}, same, false);
  fused.run(6);
  apart.run(6);
  EXPECT_LE(distance(fused.bank(), apart.bank()), 1e-5);
  for (std::size_t column = 0; column < 4; ++column) {
    for (const std::int64_t step : {2, 5}) {
      EXPECT_NEAR(fused.program(0).report(column, step), apart.program(0).report(column, step),
                  1e-5)
          << fused.program(0).columns()[column].name;
    }
  }
  EXPECT_EQ(apart.program(0).graph().count("weighed_loss"), 0);
  const Graph& graph = fused.program(0).graph();
  if (batch_cut(Context(this->ctx())).whole()) {
    EXPECT_EQ(graph.count("heads"), 1);
  } else {
    EXPECT_EQ(graph.count("weighed_loss"), 2);
    EXPECT_EQ(graph.count("linear_merge"), 1);
  }
  EXPECT_EQ(graph.count("grl"), 0);
}

TYPED_TEST(ProgramTest, ReportsMeansCountsAndNumbers) {
  Parameters parameters;
  ProgramRun run(this->ctx(), {dann(parameters)}, parameters, true);
  run.run(kProgramCapacity + 3);  // the ring has gone round
  const Program& program = run.program(0);
  std::vector<std::string> names;
  for (const Column& column : program.columns()) names.push_back(column.name);
  EXPECT_THAT(names, ElementsAre("label_loss", "domain_loss", "domain_accuracy", "lambda"));
  EXPECT_GT(program.report(0, 6), 0.1);
  EXPECT_LT(program.report(0, 6), 2 * std::log(3.0));
  EXPECT_NEAR(program.report(1, 6), std::log(2.0), 0.3);
  const double correct = program.report(2, 6) * 78;
  EXPECT_NEAR(correct, std::round(correct), 1e-6);
  EXPECT_NEAR(program.report(3, 6), 2.0 / (1.0 + std::exp(-3.0)) - 1.0, 1e-6);
  EXPECT_THAT(program.quantities(), ElementsAre("label loss", "domain loss", "gradient"));
}

TYPED_TEST(ProgramTest, AGroupIsUpdatedAndNothingElse) {
  Parameters parameters;
  std::vector<Written> both = adversaries(parameters);
  both.pop_back();  // the adversary alone
  ProgramRun run(this->ctx(), std::move(both), parameters, true);
  const std::vector<float> before = run.bank();
  run.run(3);
  const std::vector<float> after = run.bank();
  for (const Parameter& parameter : parameters.list()) {
    const auto first = static_cast<std::size_t>(parameter.offset);
    const auto size = static_cast<std::size_t>(parameter.shape.size());
    const bool same =
        std::equal(before.begin() + first, before.begin() + first + size, after.begin() + first);
    EXPECT_EQ(same, !parameter.name.starts_with("domain_classifier.")) << parameter.name;
  }
}

TYPED_TEST(ProgramTest, SeveralUpdatesAreOneStep) {
  Parameters parameters, same;
  ProgramRun once(this->ctx(), adversaries(parameters), parameters, true);
  ProgramRun apart(this->ctx(), adversaries(same), same, false);
  once.run(20);
  for (int step = 0; step < 20; ++step) apart.run(1);
  // Adam divides by what is nearly nothing: what is rounded differently may drift.
  EXPECT_LE(distance(once.bank(), apart.bank()), 1e-3);
  EXPECT_NEAR(once.program(0).report(0, 19), apart.program(0).report(0, 19), 1e-3);
  EXPECT_NEAR(once.program(1).report(1, 19), apart.program(1).report(1, 19), 1e-3);
  if (can_record(this->ctx())) {
    ASSERT_NE(once.recorded_step(), nullptr);
  }
  std::int64_t steps = 0;
  copy_to_host(this->ctx(), &steps, once.state().step().data(), sizeof steps);
  EXPECT_EQ(steps, 20) << "only the last program advances the step";
}

TYPED_TEST(ProgramTest, SeveralUpdatesHaveTheSameBitsForAnyNumberOfThreads) {
  std::vector<float> want;
  for (const int threads : {1, 2, 4, 8}) {
    Parameters parameters;
    ProgramRun run(this->ctx(), adversaries(parameters), parameters, true, threads);
    run.run(5);
    if (want.empty()) want = run.bank();
    EXPECT_EQ(run.bank(), want) << threads;
  }
}

TYPED_TEST(ProgramTest, AnAverageFollowsTheWeights) {
  Parameters parameters;
  Written w = dann(parameters);
  w.draft.averages = {{.bank = 1, .factor = 0.5F}};
  ProgramRun run(this->ctx(), {std::move(w)}, parameters, true, 1, /*banks=*/2);
  const std::vector<float> start = run.bank();
  run.run(1);
  const std::vector<float> first = run.bank();
  run.run(1);
  const std::vector<float> second = run.bank(), averaged = run.bank(1);
  for (std::size_t i = 0; i < start.size(); ++i) {
    EXPECT_NEAR(averaged[i], 0.25 * start[i] + 0.25 * first[i] + 0.5 * second[i], 1e-6) << i;
  }
}

// A teacher, or an extractor as it was: parameters of another bank get no gradient.
TYPED_TEST(ProgramTest, ABankIsReadAndNotTrained) {
  Parameters parameters;
  Written w;
  w.inputs = declare(w.draft);
  Graph& graph = w.draft.graph;
  Author student(w.draft, parameters), teacher(w.draft, parameters, /*bank=*/1);
  const Value taught = student.logits(student.features(w.inputs.source));
  const Value teaching = teacher.logits(teacher.features(w.inputs.source));
  const Value apart = ops::square(graph, ops::subtract(graph, taught, teaching));
  const Value losses = ops::sum_features(graph, apart);
  w.draft.name = "student";
  w.draft.objective = {.terms = {{"distance", ops::mean_rows(graph, losses)}},
                       .learning_rate = ops::evaluate_schedule(graph, w.draft.step, {})};
  w.draft.reports = {{"distance", losses}};
  ProgramRun run(this->ctx(), {std::move(w)}, parameters, true, 1, /*banks=*/2);
  const std::vector<float> start = run.bank(1);
  run.run(1);
  EXPECT_EQ(run.program(0).report(0, 0), 0.0) << "both banks start alike";
  EXPECT_EQ(run.bank(1), start);
}

TYPED_TEST(ProgramTest, MoreReportsThanARecordTakesAreRecorded) {
  Parameters parameters;
  Written w = dann(parameters);
  Graph& graph = w.draft.graph;
  for (int i = 0; i < 9; ++i) {
    w.draft.reports.push_back({message("constant ", i),
                               ops::constant(graph, {Dtype::kF32, {}, {}}, static_cast<float>(i))});
  }
  ProgramRun run(this->ctx(), {std::move(w)}, parameters, true);
  run.run(2);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(run.program(0).report(4 + i, 1), static_cast<double>(i));
  }
}

// The guard says which update it was: quantities are counted through all of them.
TYPED_TEST(ProgramTest, TheGuardNamesTheUpdateThatFailed) {
  Parameters parameters;
  std::vector<Written> both = adversaries(parameters);
  Draft& second = both[1].draft;
  Value& loss = second.objective->terms[1].loss;
  const Value zero = ops::constant(second.graph, second.graph.type(loss), 0.0F);
  loss = ops::divide(second.graph, loss, zero);
  ProgramRun run(this->ctx(), std::move(both), parameters, true);
  run.run(2);
  const FiniteGuard guard = run.state().guard();
  EXPECT_EQ(guard.frozen, 1);
  EXPECT_EQ(guard.step, 0);
  const auto before = static_cast<std::int32_t>(run.program(0).quantities().size());
  ASSERT_GE(guard.quantity, before);
  EXPECT_EQ(run.program(1).quantities()[static_cast<std::size_t>(guard.quantity - before)],
            "label loss");
}

// What cannot be right is refused, by name.
TEST(CompileTest, SaysWhatDoesNotFitTogether) {
  const auto refuses = [](auto&& change, const char* told) {
    Parameters parameters;
    Written w = dann(parameters);
    change(w, parameters);
    EXPECT_THAT([&] { compile(w.draft, parameters, {.record_capacity = 1}); },
                ThrowsMessage<std::invalid_argument>(HasSubstr(told)));
  };
  refuses([](Written&, Parameters& p) { p.add("extra.weight", {2}, FileLayout::same({2}), {}); },
          "dann: the graph does not use extra.weight");
  refuses(
      [](Written& w, Parameters&) {
        w.draft.graph.parameter(0, "feature_extractor.fc1.weight", {16, 5});
      },
      "dann: feature_extractor.fc1.weight stands in the graph twice");
  refuses([](Written& w, Parameters&) { w.draft.graph.parameter(99, "stray", {2}); },
          "dann: the graph's parameter stray (2) is not number 99");
  refuses([](Written& w, Parameters&) { w.draft.objective->terms.pop_back(); },
          "dann: no term depends on domain_classifier.fc1.weight");
  refuses([](Written& w, Parameters&) { w.draft.objective->terms.clear(); },
          "dann: nothing is to be made small");
  refuses([](Written& w, Parameters&) { w.draft.objective->over = {"critic"}; }, "critic");
  refuses([](Written& w, Parameters&) { w.draft.reports[0].per = kDrawnSource; },
          "dann: the report label_loss is a mean over rows already");
  refuses([](Written& w, Parameters&) { w.draft.reports[3].value = w.inputs.source; },
          "dann: the report lambda is f32 rows x (5)");
}

}  // namespace
}  // namespace gradflip
