#include "apps/common/report/reported_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace gradflip {
namespace {

TEST(ReportedTextTest, ShowsTheNumbersOfADann) {
  EXPECT_EQ(short_text({"label_loss", 0.41234}), "label 0.412");
  EXPECT_EQ(full_text({"label_loss", 0.41234}), "label 0.4123");
  EXPECT_EQ(short_text({"domain_accuracy", 0.53123}), "domain acc 0.53");
  EXPECT_EQ(full_text({"domain_accuracy", 0.53123}), "domain acc 0.531");
  EXPECT_EQ(short_text({"lambda", 0.71234}), "lambda 0.71");
  EXPECT_EQ(full_text({"lambda", 0.0}), "lambda 0.000");
  EXPECT_EQ(short_text({"learning_rate", 0.00712}), "lr 7.1e-03");
  EXPECT_EQ(full_text({"learning_rate", 0.00712}), "lr 7.12e-03");
}

TEST(ReportedTextTest, KnowsNumbersByHowTheirNamesEnd) {
  EXPECT_EQ(short_text({"gradient_penalty_loss", 2.0}), "gradient penalty 2.000");
  EXPECT_EQ(short_text({"critic_learning_rate", 1e-4}), "critic lr 1.0e-04");
}

TEST(ReportedTextTest, ShowsAnyOtherNumberInWordsAndDigits) {
  EXPECT_EQ(short_text({"loss", 0.5}), "loss 0.5");
  EXPECT_EQ(short_text({"critic_score", -12.345}), "critic score -12.3");
  EXPECT_EQ(full_text({"critic_score", -12.345}), "critic score -12.35");
  EXPECT_EQ(short_text({"distance", 1.2345e-7}), "distance 1.23e-07");
  EXPECT_EQ(short_text({"distance", std::numeric_limits<double>::infinity()}), "distance inf");
}

}  // namespace
}  // namespace gradflip
