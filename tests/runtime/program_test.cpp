// Drafts made to run: one update fused and unfused, and steps of several updates over groups of
// their own.
#include "runtime/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "runtime/ops/elementwise.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "runtime/sharding.h"
#include "tests/support/backends.h"
#include "tests/support/program_run.h"

namespace gradflip {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

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
  ProgramRun fused(this->ctx(), {program_dann(parameters)}, parameters, true);
  ProgramRun apart(this->ctx(), {program_dann(same)}, same, false);
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
  ProgramRun run(this->ctx(), {program_dann(parameters)}, parameters, true);
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
  std::vector<WrittenProgram> both = program_adversaries(parameters);
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
  ProgramRun once(this->ctx(), program_adversaries(parameters), parameters, true);
  ProgramRun apart(this->ctx(), program_adversaries(same), same, false);
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
    ProgramRun run(this->ctx(), program_adversaries(parameters), parameters, true, threads);
    run.run(5);
    if (want.empty()) want = run.bank();
    EXPECT_EQ(run.bank(), want) << threads;
  }
}

TYPED_TEST(ProgramTest, AnAverageFollowsTheWeights) {
  Parameters parameters;
  WrittenProgram w = program_dann(parameters);
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
  WrittenProgram w;
  w.inputs = declare_program_inputs(w.draft);
  Graph& graph = w.draft.graph;
  ProgramAuthor student(w.draft, parameters), teacher(w.draft, parameters, /*bank=*/1);
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
  WrittenProgram w = program_dann(parameters);
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
  std::vector<WrittenProgram> both = program_adversaries(parameters);
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
    WrittenProgram w = program_dann(parameters);
    change(w, parameters);
    EXPECT_THAT([&] { compile(w.draft, parameters, {.record_capacity = 1}); },
                ThrowsMessage<std::invalid_argument>(HasSubstr(told)));
  };
  refuses(
      [](WrittenProgram&, Parameters& p) { p.add("extra.weight", {2}, FileLayout::same({2}), {}); },
      "dann: the graph does not use extra.weight");
  refuses(
      [](WrittenProgram& w, Parameters&) {
        w.draft.graph.parameter(0, "feature_extractor.fc1.weight", {16, 5});
      },
      "dann: feature_extractor.fc1.weight stands in the graph twice");
  refuses([](WrittenProgram& w, Parameters&) { w.draft.graph.parameter(99, "stray", {2}); },
          "dann: the graph's parameter stray (2) is not number 99");
  refuses([](WrittenProgram& w, Parameters&) { w.draft.objective->terms.pop_back(); },
          "dann: no term depends on domain_classifier.fc1.weight");
  refuses([](WrittenProgram& w, Parameters&) { w.draft.objective->terms.clear(); },
          "dann: nothing is to be made small");
  refuses([](WrittenProgram& w, Parameters&) { w.draft.objective->over = {"critic"}; }, "critic");
  refuses([](WrittenProgram& w, Parameters&) { w.draft.reports[0].per = kDrawnSource; },
          "dann: the report label_loss is a mean over rows already");
  refuses([](WrittenProgram& w, Parameters&) { w.draft.reports[3].value = w.inputs.source; },
          "dann: the report lambda is f32 rows{0} x (5)");
}

}  // namespace
}  // namespace gradflip
