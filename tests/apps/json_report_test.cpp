#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "apps/common/report/json.h"
#include "tests/apps/report_cases.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ReportContext context() {
  ReportContext context;
  context.plan = all_modes();
  context.version = "1.2.3";
  context.device = "a processor";
  context.device_reason = "asked for";
  context.precision = "f32";
  context.preset = "paper";
  context.threads = 2;
  context.config = {{"gamma", 10.0}};
  context.wall = {.seconds = 10.0, .steps = 8.0, .evaluation = 1.0, .data = 0.5};
  context.data = {{"source", {{"sha256", "ab"}}}, {"target", {{"sha256", "cd"}}}};
  return context;
}

TEST(JsonReportTest, HoldsWhatTheRunsMeasured) {
  const Json json = Json::parse(report(context(), three_modes()).dump());
  EXPECT_EQ(json["version"], "1.2.3");
  EXPECT_EQ(json["device"], "a processor");
  EXPECT_EQ(json["precision"], "f32");
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["preset"], "paper");
  EXPECT_EQ(json["config"]["gamma"], 10.0);
  EXPECT_EQ(json["data"]["target"]["sha256"], "cd");
  ASSERT_EQ(json["runs"].size(), 3U);
  const Json& dann = json["runs"][1];
  EXPECT_EQ(dann["mode"], "dann");
  EXPECT_EQ(dann["seed"], 1);
  EXPECT_EQ(dann["steps"], 200);
  EXPECT_EQ(dann["seconds"], 4.0);
  EXPECT_EQ(dann["evaluation_seconds"], 0.5);
  EXPECT_EQ(dann["images_per_second"], 1600.0);
  EXPECT_EQ(dann["seconds_per_source_epoch"], 1.0);
  EXPECT_EQ(dann["wall"], Json::parse(R"({"seconds": 5.0, "steps": 0.8, "evaluation": 0.1,
                                          "data": 0.05, "other": 0.05})"));
  EXPECT_EQ(json["wall"], Json::parse(R"({"seconds": 10.0, "steps": 0.8, "evaluation": 0.1,
                                          "data": 0.05, "other": 0.05})"));
  EXPECT_EQ(dann["final_label_loss"], 0.125);
  EXPECT_EQ(dann["final_domain_loss"], 0.69);
  EXPECT_EQ(dann["domain_accuracy"], 0.5);
  EXPECT_EQ(dann["source_test_accuracy"], 0.97);
  EXPECT_EQ(dann["target_test_accuracy"], 0.70);
  EXPECT_EQ(dann["oracle_target_test_accuracy"], 0.75);
  ASSERT_EQ(dann["history"].size(), 2U);
  EXPECT_EQ(dann["history"][0]["epoch"], 1);
  EXPECT_EQ(dann["history"][0]["steps"], 100);
  EXPECT_EQ(dann["history"][0]["label_loss"], 0.25);
  EXPECT_EQ(dann["history"][0]["lambda"], 0.9);
  EXPECT_EQ(dann["history"][0]["learning_rate"], 0.01);
  EXPECT_EQ(dann["history"][0]["target_test_accuracy"], 0.75);
  EXPECT_EQ(dann["history"][1]["seconds"], 4.0);
}

TEST(JsonReportTest, WhatDoesNotApplyIsNull) {
  const Json json = report(context(), three_modes());
  const Json& source_only = json["runs"][0];
  EXPECT_TRUE(source_only["final_domain_loss"].is_null());
  EXPECT_TRUE(source_only["domain_accuracy"].is_null());
  EXPECT_TRUE(source_only["history"][0]["lambda"].is_null());
  EXPECT_TRUE(json["summary"]["dann"]["target_test_accuracy"]["std"].is_null());

  const Json empty = report(context(), {run(kDann, 1, {})});
  EXPECT_TRUE(empty["runs"][0]["target_test_accuracy"].is_null());
  EXPECT_TRUE(empty["runs"][0]["oracle_target_test_accuracy"].is_null());
  EXPECT_TRUE(report(context(), {three_modes()[1]})["summary"]["dann"]["gap_closed"].is_null());
  EXPECT_FALSE(empty["summary"].contains("dann"));
}

TEST(JsonReportTest, HoldsWhatAMethodReportsUnderItsName) {
  const Json json = report(context(), {run(kSourceOnly, 1, {epoch(1, 0.9, 0.5)}),
                                       of_another_method(run(kDann, 1, {epoch(2, 0.9, 0.6)}))});
  const Json& row = json["runs"][1];
  EXPECT_EQ(row["final_label_loss"], 0.125);
  EXPECT_EQ(row["final_critic_score"], 12.5);
  EXPECT_EQ(row["teacher_accuracy"], 0.75);
  EXPECT_FALSE(row.contains("final_temperature")) << "a schedule";
  EXPECT_EQ(row["history"][0].dump(),
            R"({"epoch":2,"steps":200,"label_loss":0.125,"critic_score":12.5,"temperature":0.0625,)"
            R"("teacher_accuracy":0.75,"learning_rate":null,"source_test_accuracy":0.9,)"
            R"("target_test_accuracy":0.6,"seconds":4.0})");
  EXPECT_EQ(json["runs"][0]["history"][0].dump(),
            R"({"epoch":1,"steps":100,"label_loss":0.25,"critic_score":null,"temperature":null,)"
            R"("teacher_accuracy":null,"learning_rate":0.01,"source_test_accuracy":0.9,)"
            R"("target_test_accuracy":0.5,"seconds":2.0})");
  EXPECT_TRUE(json["runs"][0]["final_critic_score"].is_null());
}

TEST(JsonReportTest, ANameDoesNotTakeTheDocumentsOwnPlace) {
  RunResult named = run(kDann, 1, {epoch(1, 0.9, 0.5)});
  named.history[0].reported = {{"steps", -1.0}, {"seconds", -1.0}, {"source_test_accuracy", -1.0}};
  named.columns = columns_in(named.history[0].reported);
  const Json row = report(context(), {named})["runs"][0];
  EXPECT_EQ(row["source_test_accuracy"], 0.9);
  EXPECT_EQ(row["history"][0]["steps"], 100);
  EXPECT_EQ(row["history"][0]["seconds"], 2.0);
  EXPECT_EQ(row["history"][0]["source_test_accuracy"], 0.9);
}

TEST(JsonReportTest, BeforeItsFirstEpochARunHasNoMeans) {
  const Json row = report(context(), {run(kDann, 1, {})})["runs"][0];
  for (const char* name : {"final_label_loss", "final_domain_loss", "domain_accuracy"}) {
    ASSERT_TRUE(row.contains(name)) << name;
    EXPECT_TRUE(row[name].is_null()) << name;
  }
}

TEST(JsonReportTest, AFailedRunHasItsErrorAndNoAccuracies) {
  const RunResult dann = failed(three_modes()[1]);
  ReportContext with_code = context();
  with_code.exit_code = 7;
  const Json json = report(with_code, {three_modes()[0], dann});
  EXPECT_EQ(json["exit_code"], 7);
  EXPECT_FALSE(json.contains("error")) << "it is the run's";
  const Json& row = json["runs"][1];
  EXPECT_EQ(row["mode"], "dann");
  EXPECT_EQ(row["seed"], 1);
  EXPECT_EQ(row["completed"], false);
  EXPECT_EQ(row["error"], Json::parse(R"({"code": 7, "message": "training diverged at step 7"})"));
  EXPECT_EQ(row["history"][0]["label_loss"], 0.25);
  const std::string text = row.dump();
  EXPECT_THAT(text, Not(HasSubstr("source_test_accuracy")));
  EXPECT_THAT(text, Not(HasSubstr("target_test_accuracy")));
  EXPECT_FALSE(json["summary"].contains("dann"));
  EXPECT_EQ(json["runs"][0]["completed"], true);
  EXPECT_EQ(json["summary"]["source-only"]["planned"], 1);
}

TEST(JsonReportTest, ARunThatWasNotSavedKeepsItsFigures) {
  std::vector<RunResult> runs = three_modes();
  runs[1].save_error = RunError{6, "cannot write x"};
  const Json row = report(context(), runs)["runs"][1];
  EXPECT_EQ(row["save_error"]["code"], 6);
  EXPECT_EQ(row["target_test_accuracy"], 0.70);
  EXPECT_EQ(row["completed"], true);
}

TEST(JsonReportTest, OfATargetWithoutLabelsHoldsNoTargetAccuracy) {
  const Json json = report(
      context(), {unmeasured(run(kDann, 1, {epoch(1, 0.9, 0.5)})), unmeasured(run(kDann, 2, {}))});
  EXPECT_EQ(json["runs"][0]["source_test_accuracy"], 0.9);
  EXPECT_THAT(json.dump(), Not(HasSubstr("target_test_accuracy")));
}

TEST(JsonReportTest, BeforeAnythingIsKnownMostIsNull) {
  ReportContext early;
  early.exit_code = 3;
  early.error = RunError{3, "no such folder"};
  const Json json = Json::parse(text_of(report(early, {})));
  EXPECT_TRUE(json["device"].is_null());
  EXPECT_TRUE(json["data"].is_null());
  EXPECT_EQ(json["runs"], Json::array());
  EXPECT_EQ(json["error"]["message"], "no such folder");
}

TEST(JsonReportTest, BytesThatAreNoTextAreReplaced) {
  ReportContext strange = context();
  strange.data["source"]["name"] =
      "donn\xe9"
      "es";
  strange.notes = {"\xff"};
  const std::string text = text_of(report(strange, three_modes()));
  const Json json = Json::parse(text);
  EXPECT_EQ(json["data"]["source"]["name"],
            "donn\xef\xbf\xbd"
            "es");
  EXPECT_EQ(json["notes"], Json::parse(R"(["\ufffd"])"));
  EXPECT_EQ(text.back(), '\n');
}

TEST(JsonReportTest, SummarisesOverSeeds) {
  std::vector<RunResult> runs = three_modes();
  runs.push_back(run(kDann, 2, {epoch(2, 0.97, 0.80)}));
  const Json summary = report(context(), runs)["summary"];
  EXPECT_NEAR(summary["dann"]["target_test_accuracy"]["mean"].get<double>(), 0.75, 1e-12);
  EXPECT_NEAR(summary["dann"]["target_test_accuracy"]["std"].get<double>(), 0.1 / std::sqrt(2.0),
              1e-12);
  EXPECT_EQ(summary["dann"]["runs"], 2);
  EXPECT_NEAR(summary["source-only"]["target_test_accuracy"]["mean"].get<double>(), 0.40, 1e-12);
  EXPECT_NEAR(summary["dann"]["gap_closed"].get<double>(), 0.7, 1e-12);
}

TEST(JsonReportTest, IsValidJsonEvenWithNonFiniteNumbers) {
  std::vector<RunResult> runs = three_modes();
  runs[0].history.back().reported[0].value = std::numeric_limits<double>::quiet_NaN();
  const Json json = Json::parse(report(context(), runs).dump());
  EXPECT_TRUE(json["runs"][0]["final_label_loss"].is_null());
}

}  // namespace
}  // namespace gradflip
