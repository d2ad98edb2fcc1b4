#include "models/option_field.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <tuple>

namespace gradflip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Throws;
using ::testing::ThrowsMessage;

using Refusal = std::invalid_argument;

enum class Shade { kLight, kDark };

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();
constexpr double kEndless = std::numeric_limits<double>::infinity();

OptionField real_field(double& value, RealRange range, UsedAs used_as = UsedAs::kF64) {
  return real_option({"rate", "Group", "help"}, value, range, used_as);
}

TEST(OptionFieldTest, ReadsAndWritesTheNumberThatItIsBoundTo) {
  std::int64_t count = 3;
  const OptionField whole = whole_option({"count", "Group", "how many"}, count, 1, 9);
  EXPECT_EQ(whole.value(), OptionValue(std::int64_t{3}));
  whole.set(std::int64_t{7});
  EXPECT_EQ(count, 7);

  double rate = 0.5;
  const OptionField real = real_field(rate, RealRange::kAtLeastZero);
  EXPECT_EQ(real.value(), OptionValue(0.5));
  real.set(0.25);
  EXPECT_EQ(rate, 0.25);
  real.set(std::int64_t{2});
  EXPECT_EQ(rate, 2.0);

  Shade shade = Shade::kLight;
  const OptionField choice = choice_option({"shade", "Group", "how dark"}, shade,
                                           {{Shade::kLight, "light"}, {Shade::kDark, "dark"}});
  EXPECT_THAT(std::get<ChoiceOption>(choice.kind).names, ElementsAre("light", "dark"));
  EXPECT_EQ(choice.value(), OptionValue("light"));
  choice.set("dark");
  EXPECT_EQ(shade, Shade::kDark);
  EXPECT_EQ(choice.value(), OptionValue("dark"));
}

TEST(OptionFieldTest, RefusesAValueOfAnotherKindAndLeavesTheNumber) {
  std::int64_t count = 3;
  double rate = 0.5;
  Shade shade = Shade::kLight;
  const OptionField whole = whole_option({"count", "Group", "how many"}, count, 1, 9);
  const OptionField real = real_field(rate, RealRange::kAtLeastZero);
  const OptionField choice = choice_option({"shade", "Group", "how dark"}, shade,
                                           {{Shade::kLight, "light"}, {Shade::kDark, "dark"}});
  EXPECT_THAT([&] { whole.set(1.5); }, ThrowsMessage<Refusal>(HasSubstr("--count")));
  EXPECT_THAT([&] { whole.set("two"); }, ThrowsMessage<Refusal>(HasSubstr("--count")));
  EXPECT_THAT([&] { real.set("fast"); }, ThrowsMessage<Refusal>(HasSubstr("--rate")));
  EXPECT_THAT([&] { choice.set(1.0); }, ThrowsMessage<Refusal>(HasSubstr("--shade")));
  EXPECT_THAT([&] { choice.set("Dark"); },
              ThrowsMessage<Refusal>("--shade: there is no \"Dark\"; choose one of light, dark"));
  EXPECT_THAT([&] { choice.set(""); }, Throws<Refusal>());
  EXPECT_EQ(count, 3);
  EXPECT_EQ(rate, 0.5);
  EXPECT_EQ(shade, Shade::kLight);
}

TEST(OptionFieldTest, TextIsReadByItsOwnNotation) {
  std::string written = "none";
  const OptionField field =
      text_option({"notation", "Group", "help"}, written, "TEXT", [](const std::string& text) {
        if (text == "bad") throw Refusal("it is bad");
      });
  EXPECT_EQ(field.value(), OptionValue("none"));
  EXPECT_TRUE(field.given());
  field.set("good, or so");
  EXPECT_EQ(written, "good, or so");
  EXPECT_NO_THROW(field.require_in_range());
  EXPECT_THAT([&] { field.set(1.0); }, ThrowsMessage<Refusal>("--notation: the value is not text"));
  field.set("bad");
  EXPECT_THAT([&] { field.require_in_range(); }, ThrowsMessage<Refusal>("--notation: it is bad"));
}

TEST(OptionFieldTest, AWholeNumberStaysBetweenItsBounds) {
  std::int64_t count = 0;
  const OptionField field = whole_option({"count", "Group", "how many"}, count, 1, 9);
  for (const std::int64_t good : {1, 5, 9}) {
    field.set(good);
    EXPECT_NO_THROW(field.require_in_range());
  }
  for (const std::int64_t bad : {-1, 0, 10}) {
    field.set(bad);
    EXPECT_THAT(
        [&] { field.require_in_range(); },
        ThrowsMessage<Refusal>("--count: " + std::to_string(bad) + " is not between 1 and 9"));
  }
}

TEST(OptionFieldTest, AnAlternativeMayBeLeftOut) {
  std::int64_t count = 0;
  const OptionField field =
      alternative_option({"count", "Group", "how many"}, count, 2, 9, "rounds");
  EXPECT_FALSE(field.given());
  EXPECT_NO_THROW(field.require_in_range());
  count = 2;
  EXPECT_TRUE(field.given());
  EXPECT_NO_THROW(field.require_in_range());
  count = 1;
  EXPECT_TRUE(field.given());
  EXPECT_THAT([&] { field.require_in_range(); },
              ThrowsMessage<Refusal>("--count: 1 is not between 2 and 9"));
  EXPECT_THROW(alternative_option({"count", "Group", "how many"}, count, 0, 9, "rounds"), Refusal);
}

struct Refused {
  RealRange range;
  UsedAs used_as;
  double value;
  const char* text;
};

TEST(OptionFieldTest, SaysWhyARealNumberIsOutOfRange) {
  for (const Refused& refused : {
           Refused{RealRange::kAtLeastZero, UsedAs::kF64, -0.5,
                   "--rate: -0.5 is not a finite number of at least 0"},
           {RealRange::kAtLeastZero, UsedAs::kF64, kEndless,
            "--rate: inf is not a finite number of at least 0"},
           {RealRange::kAtLeastZero, UsedAs::kF64, kNoNumber,
            "--rate: nan is not a finite number of at least 0"},
           {RealRange::kAboveZero, UsedAs::kF64, 0.0, "--rate: 0 is not a finite number above 0"},
           {RealRange::kAboveZero, UsedAs::kF32, 1e-40,
            "--rate: 1e-40 is below the smallest normal number of f32, in which training "
            "computes: they go from 1.2e-38 to 3.4e38"},
           {RealRange::kAtLeastZero, UsedAs::kF32, 1e39,
            "--rate: 1e+39 is above the largest number of f32, in which training computes: they "
            "go from 1.2e-38 to 3.4e38"},
           {RealRange::kBelowOne, UsedAs::kF32, 0.99999999999,
            "--rate: 0.99999999999 is not at least 0 and below 1 in f32, in which training "
            "computes"},
           {RealRange::kBelowOne, UsedAs::kF32, kNoNumber,
            "--rate: nan is not at least 0 and below 1 in f32, in which training computes"},
       }) {
    double value = refused.value;
    const OptionField field = real_field(value, refused.range, refused.used_as);
    EXPECT_THAT([&] { field.require_in_range(); }, ThrowsMessage<Refusal>(refused.text));
  }
}

TEST(OptionFieldTest, TakesRealNumbersAtTheEdge) {
  for (const auto& [range, used_as, at_the_edge] :
       {std::tuple{RealRange::kAtLeastZero, UsedAs::kF32, 0.0},
        {RealRange::kAtLeastZero, UsedAs::kF32, 3.4e38},
        {RealRange::kAboveZero, UsedAs::kF32, 1.2e-38},
        {RealRange::kAboveZero, UsedAs::kF64, 1e-320},
        {RealRange::kAtLeastZero, UsedAs::kF64, 1e308},
        {RealRange::kBelowOne, UsedAs::kF32, 0.0},
        {RealRange::kBelowOne, UsedAs::kF32, 0.9999999}}) {
    double value = at_the_edge;
    EXPECT_NO_THROW(real_field(value, range, used_as).require_in_range()) << at_the_edge;
  }
}

}  // namespace
}  // namespace gradflip
