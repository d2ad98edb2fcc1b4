// A method is looked over before its first step.
#include "models/written_method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/methods/label_loss.h"
#include "tests/support/points_test.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

template <typename Ctx>
class WrittenMethodTest : public PointsTest<Ctx> {};
TYPED_TEST_SUITE(WrittenMethodTest, Backends, BackendNames);

TYPED_TEST(WrittenMethodTest, AMethodThatIsNotWholeIsRefused) {
  const auto refuses = [this](const Method& method, const char* told) {
    EXPECT_THAT([&] { this->trainer(method, 5); },
                ThrowsMessage<std::invalid_argument>(HasSubstr(told)));
  };
  refuses(method_of_stages({}), "it has no stage");
  refuses(method_of_stages({{.updates = {}}}), "stage 1 has no update");
  refuses(method_of_stages({{.updates = {{"labels", learn_labels}}, .share = 0.0}}),
          "no stage has a share");
  refuses(method_of_stages({{.updates = {{"labels", learn_labels}}, .share = -1.0}}),
          "stage 1 has a share of -1");
  refuses(method_of_stages({{.updates = {{"labels", learn_labels, 0}}}}), "labels is done 0 times");
  refuses(method_of_stages({{.updates = {{"a", learn_labels}, {"b", learn_labels}}}}),
          "two columns are called label_loss");
  refuses(
      method_of_stages({{.updates = {{"a", learn_labels}}}, {.updates = {{"a", learn_labels}}}}),
      "two updates are called a");
  refuses(
      method_of_stages({{.updates = {{"a", [](Step& step) { step.samples(segment_rows(2)); }}}}}),
      "a: samples are of the source, the target, or both");
  refuses(method_of_stages({{.updates = {{"a", [](Step& step) { step.samples(kTargetRows); }}}}}),
          "a: there is no target to draw samples of");
  refuses(method_of_stages({{.updates = {{"a",
                                          [](Step& step) {
                                            learn_labels(step);
                                            step.minimise(Objective{});
                                          }}}}}),
          "one update makes one objective small");
  refuses(method_of_stages({{.updates = {{"a", learn_labels}}, .copies = {{.from = 0, .to = 1}}}}),
          "bank");
  refuses(method_of_stages({{.updates = {{"a", nullptr}}}}), "nothing writes the update a");
  refuses(method_of_stages({{.updates = {{"watch", watch_bank}}}}, 2),
          "no update of test makes anything small");
  Method without_stages = method_of_stages({});
  without_stages.stages = nullptr;
  refuses(without_stages, "test has no stages");
}

// When it is set up, not hours into it.
TYPED_TEST(WrittenMethodTest, ALaterStageThatIsNotWholeIsRefusedAtOnce) {
  const Stage good{.updates = {{"good", learn_labels}}};
  const auto refuses = [&](const Stage& second, const char* told) {
    EXPECT_THAT(
        [&] {
          this->trainer(method_of_stages({good, second}, 2), 5);
        },
        ThrowsMessage<std::invalid_argument>(HasSubstr(told)));
  };
  refuses({.updates = {{"good", learn_labels}}}, "two updates are called good");
  refuses({.updates = {{"b", learn_labels}}, .copies = {{.from = 0, .to = 2}}},
          "bank 2 is copied, and there are 2");
  refuses({.updates = {{"b", learn_labels}}, .copies = {{.from = -1, .to = 1}}}, "bank -1");
  refuses({.updates = {{"b", learn_labels}}, .copies = {{.from = 1, .to = 1}}},
          "bank 1 is copied to itself");
  refuses({.updates = {{"b", [](Step& s) { s.feature_extractor(s.samples(kSourceRows), 2); }}}},
          "b reads bank 2, and there are 2");
  refuses({.updates = {{"b", [](Step& s) { s.feature_extractor(s.samples(kSourceRows), -1); }}}},
          "b: there is no bank -1");
  refuses({.updates = {{"b",
                        [](Step& s) {
                          const Value x = s.feature_extractor(s.samples(kSourceRows));
                          s.minimise({label_loss(s, s.label_predictor(x)).term}, {"critic"});
                        }}}},
          "critic");
  refuses(
      {.updates = {{"b",
                    [](Step& s) {
                      s.report({.name = "label_loss", .value = s.learning_rate(), .last = true});
                    }}}},
      "tell label_loss as a mean and as the last");
}

}  // namespace
}  // namespace gradflip
