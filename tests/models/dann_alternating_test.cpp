// The alternating updates beside the reversal, on the same samples from the same weights.
#include "models/methods/dann_alternating.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/methods/dann.h"
#include "models/methods/dann_options.h"
#include "models/trainer.h"
#include "tests/support/device_test.h"
#include "tests/support/tiny_domains.h"

namespace gradflip {
namespace {

template <typename Ctx>
class DannAlternatingTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  void prepare() override {
    domains_.emplace(device_.context, 12, 10);
    recipe_.training.source_batch = 3;
    recipe_.training.target_batch = 2;
    recipe_.training.steps = 4;
    recipe_.of<DannOptions>().lambda_schedule = LambdaSchedule::kConstant;
  }

  using Changes = std::map<std::string, std::vector<double>>;

  // What the first step makes of the weights.
  Changes changes(const Method& method) const {
    Trainer trainer(method, domains_->network(), recipe_, domains_->data(), 7, device_, 1);
    const std::vector<NamedTensor> before = trainer.parameters();
    trainer.run(1);
    Changes changes;
    for (const NamedTensor& after : trainer.parameters()) {
      for (const NamedTensor& start : before) {
        if (start.name != after.name) continue;
        std::vector<double>& change = changes[after.name];
        for (std::size_t i = 0; i < start.values.size(); ++i) {
          change.push_back(static_cast<double>(after.values[i]) - start.values[i]);
        }
      }
    }
    return changes;
  }

  // |a - b| / |b|
  static double difference(const std::vector<double>& a, const std::vector<double>& b) {
    double apart = 0.0, size = 0.0;
    for (std::size_t i = 0; i < b.size(); ++i) {
      apart += (a.at(i) - b[i]) * (a.at(i) - b[i]);
      size += b[i] * b[i];
    }
    return std::sqrt(apart / size);
  }

  Recipe recipe_;
  std::optional<TinyDomains> domains_;
};
TYPED_TEST_SUITE(DannAlternatingTest, Backends, BackendNames);

// The classifier learns the same as behind a reversal, and so do all parts where lambda is 0.
TYPED_TEST(DannAlternatingTest, WithoutAnAdversaryIsTheReversalsStep) {
  this->recipe_.template of<DannOptions>().lambda = 0.0;
  const auto want = this->changes(dann()), got = this->changes(dann_alternating());
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, change] : want) {
    EXPECT_LE(this->difference(got.at(name), change), 1e-4) << name;
  }
}

// Negated it is the reversal's, but for what the classifier has learned before them.
TYPED_TEST(DannAlternatingTest, TheNegatedLossPushesTheFeaturesAsTheReversalDoes) {
  this->recipe_.template of<DannOptions>().lambda = 3.0;
  const auto reversed = this->changes(dann()), swapped = this->changes(dann_alternating());
  this->recipe_.template of<AlternatingOptions>().loss = AlternatingLoss::kNegated;
  const auto negated = this->changes(dann_alternating());
  for (const std::string name :
       {"feature_extractor.conv1.weight", "feature_extractor.conv2.weight"}) {
    const double apart = this->difference(negated.at(name), reversed.at(name));
    EXPECT_LE(apart, 0.05) << name;
    EXPECT_LT(apart, this->difference(swapped.at(name), reversed.at(name)) / 2) << name;
  }
}

// A classifier that knows nothing yet is as far from the swapped labels as from the true ones: the
// swapped loss pulls the features where the reversal pushes them.
TYPED_TEST(DannAlternatingTest, PullsTheFeaturesWhereTheReversalPushesThem) {
  this->recipe_.template of<DannOptions>().lambda = 3.0;
  const auto reversed = this->changes(dann()), swapped = this->changes(dann_alternating());
  this->recipe_.template of<DannOptions>().lambda = 0.0;
  const auto alone = this->changes(dann());
  for (const std::string name :
       {"feature_extractor.conv1.weight", "feature_extractor.conv2.weight"}) {
    std::vector<double> push = reversed.at(name), pull = swapped.at(name);
    for (std::size_t i = 0; i < push.size(); ++i) {
      push[i] -= alone.at(name)[i];
      pull[i] -= alone.at(name)[i];
    }
    EXPECT_LE(this->difference(pull, push), 0.2) << name;
  }
  for (const auto& [name, change] : reversed) {
    if (!name.starts_with("domain_classifier.")) continue;
    EXPECT_LE(this->difference(swapped.at(name), change), 1e-4) << name;
  }
}

}  // namespace
}  // namespace gradflip
