// Data that does not fit is refused before anything reads it, on every backend, by the trainer and
// by the evaluators.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/methods/dann.h"
#include "models/methods/source_only.h"
#include "models/trainer.h"
#include "runtime/errors.h"
#include "tests/support/device_test.h"
#include "tests/support/tiny_domains.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

template <typename Ctx>
class TrainerDataTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  void prepare() override {
    recipe_.training.source_batch = 2;
    recipe_.training.target_batch = 2;
    recipe_.training.steps = 2;
  }

  NetworkInput input_ = digits_input({60.0F, 60.0F, 60.0F});

  void train(const LabelledImages& source, const UnlabelledImages* target) const {
    const LabelledDeviceData source_data(device_.context, source, "the source");
    std::optional<DeviceData> target_data;
    if (target != nullptr) target_data.emplace(device_.context, *target, "the target");
    Trainer(target_data ? dann() : source_only(), paper_mnist(input_), recipe_,
            {&source_data, target_data ? &*target_data : nullptr}, 1, device_, 1)
        .run(2);
  }
  void evaluate(const LabelledImages& test) {
    const LabelledDeviceData test_data(device_.context, test, "the test set");
    if (trainer_ == nullptr) {
      source_data_.emplace(device_.context, source_, "the source");
      trainer_ = std::make_unique<Trainer>(source_only(), paper_mnist(input_), recipe_,
                                           TrainingData{&*source_data_, nullptr}, 1, device_, 1);
    }
    trainer_->evaluate(test_data);
  }

  Recipe recipe_;
  LabelledImages source_ = tiny_domain(4, 1, 1);
  std::optional<LabelledDeviceData> source_data_;
  std::unique_ptr<Trainer> trainer_;
};
TYPED_TEST_SUITE(TrainerDataTest, Backends, BackendNames);

struct Damage {
  std::function<void(LabelledImages&)> apply;
  std::string told;
  bool of_labels = false;
};

std::vector<Damage> damages() {
  return {
      {[](LabelledImages& d) { d.images.pixels.pop_back(); }, "do not fill"},
      {[](LabelledImages& d) { d.images.pixels.push_back(0); }, "do not fill"},
      {[](LabelledImages& d) { d.images.pixels.clear(); }, "do not fill 0 bytes"},
      {[](LabelledImages& d) { d.images.count = -4; }, "below 0"},
      {[](LabelledImages& d) { d.images.channels = 3; }, "do not fill"},
      {[](LabelledImages& d) { d.images.width = 14, d.images.height = 56; }, "takes 28x28"},
      {[](LabelledImages& d) { d = {}; }, "and need pixels"},
      {[](LabelledImages& d) { d.labels.pop_back(); }, "4 pictures, but 3 labels", true},
      {[](LabelledImages& d) { d.labels.clear(); }, "4 pictures, but 0 labels", true},
      {[](LabelledImages& d) { d.labels.push_back(1); }, "4 pictures, but 5 labels", true},
      {[](LabelledImages& d) { d.labels[2] = 10; }, "picture 2 has the label 10", true},
      {[](LabelledImages& d) { d.labels[3] = 65'536; }, "picture 3 has the label 65536", true},
      {[](LabelledImages& d) { d.labels[1] = -1; }, "picture 1 has the label -1", true},
      {[](LabelledImages& d) { d.num_classes = 0; }, "there are 0 classes", true},
      {[](LabelledImages& d) { d.num_classes = -1; }, "there are -1 classes", true},
      {[](LabelledImages& d) { d.num_classes = 65'537; }, "classes; expected 1 to 65536", true},
  };
}

TYPED_TEST(TrainerDataTest, EveryDamagedSetIsADataErrorThatNamesIt) {
  const LabelledImages good = tiny_domain(4, 1, 1);
  for (const Damage& damage : damages()) {
    SCOPED_TRACE(damage.told);
    LabelledImages bad = good;
    damage.apply(bad);
    EXPECT_THAT([&] { this->train(bad, nullptr); },
                ThrowsMessage<DataError>(AllOf(HasSubstr("the source: "), HasSubstr(damage.told))));
    EXPECT_THAT(
        [&] { this->evaluate(bad); },
        ThrowsMessage<DataError>(AllOf(HasSubstr("the test set: "), HasSubstr(damage.told))));
    if (damage.of_labels) continue;
    const UnlabelledImages target = bad.without_labels();
    EXPECT_THAT([&] { this->train(good, &target); },
                ThrowsMessage<DataError>(AllOf(HasSubstr("the target: "), HasSubstr(damage.told))));
  }
}

TYPED_TEST(TrainerDataTest, SetsWithoutPicturesAreDataErrors) {
  LabelledImages none = tiny_domain(1, 1, 1);
  none.images.count = 0;
  none.images.pixels.clear();
  none.labels.clear();
  const UnlabelledImages no_target = none.without_labels();
  EXPECT_THROW(this->train(none, nullptr), DataError);
  EXPECT_THROW(this->train(tiny_domain(4, 1, 1), &no_target), DataError);
  EXPECT_THROW(this->evaluate(none), DataError);
}

// A label that the set allows and the network cannot give would be read past the logits.
TYPED_TEST(TrainerDataTest, AnEvaluationSetMayHaveFewerClassesThanTheNetworkButNoOthers) {
  LabelledImages test = tiny_domain(4, 1, 1);
  test.labels = {0, 1, 2, 2};
  test.num_classes = 3;
  EXPECT_NO_THROW(this->evaluate(test));
  test.num_classes = 12;
  EXPECT_NO_THROW(this->evaluate(test));
  test.labels[1] = 11;
  EXPECT_THAT([&] { this->evaluate(test); },
              ThrowsMessage<DataError>(HasSubstr(
                  "picture 1 has the label 11, and the network's 10 classes are 0 to 9")));
}

TYPED_TEST(TrainerDataTest, MeansAndScalesAreOneFiniteNumberForEachChannel) {
  const LabelledImages source = tiny_domain(4, 1, 1);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const bool scales : {false, true}) {
    for (const std::vector<float>& values :
         std::vector<std::vector<float>>{{},
                                         {60.0F},
                                         {60.0F, 60.0F},
                                         {60.0F, 60.0F, 60.0F, 60.0F},
                                         {60.0F, std::nanf(""), 60.0F},
                                         {infinity, 60.0F, 60.0F}}) {
      this->input_ = digits_input({60.0F, 60.0F, 60.0F});
      (scales ? this->input_.scales : this->input_.means) = values;
      EXPECT_THROW(this->train(source, nullptr), std::invalid_argument);
      if (scales) continue;
      EXPECT_THROW(digits_input(values), std::invalid_argument);
    }
  }
}

}  // namespace
}  // namespace gradflip
