#include "kernels/count_correct.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

template <typename Ctx>
class CountCorrectTest : public BackendTest<Ctx> {
 protected:
  float count(std::int64_t num_classes, const std::vector<float>& logits,
              const std::vector<std::int32_t>& labels) {
    const auto input = this->upload(logits, Base::kOffByOne);
    const auto ids = this->upload(labels);
    auto count = this->poisoned(1);
    count_correct(this->ctx(), ids.size(), num_classes, input.data(), ids.data(), Write::kOverwrite,
                  count.data());
    return count.read()[0];
  }
  float count_binary(const std::vector<float>& logits, const std::vector<float>& labels) {
    const auto input = this->upload(logits, Base::kOffByOne);
    const auto wanted = this->upload(labels);
    auto count = this->poisoned(1);
    count_correct_binary(this->ctx(), input.size(), input.data(), wanted.data(), Write::kOverwrite,
                         count.data());
    return count.read()[0];
  }
};
TYPED_TEST_SUITE(CountCorrectTest, Backends, BackendNames);

TYPED_TEST(CountCorrectTest, TellsTheClassesOfTheLargestDataSets) {
  constexpr std::int64_t kClasses = 65'536;
  std::vector<float> logits(2 * kClasses, 0.0F);
  logits[kClasses - 1] = logits[kClasses + 40'000] = 1.0F;
  EXPECT_EQ(this->count(kClasses, logits, {65'535, 39'999}), 1.0F);
  EXPECT_EQ(this->count(kClasses, logits, {65'535, 40'000}), 2.0F);
}

TYPED_TEST(CountCorrectTest, CountsRowsWhoseLabelHasTheLargestLogit) {
  for (const std::int64_t N : {0, 1, 7, 257}) {
    for (const std::int64_t num_classes : {1, 2, 3, 10, 65}) {
      // Every logit of the matrix is different, so the largest of a row is a plain fact.
      const std::vector<float> logits = separated_floats(N * num_classes, 1);
      const std::vector<std::int32_t> labels = random_labels(N, num_classes, 2);
      int right = 0;
      for (std::int64_t i = 0; i < N; ++i) {
        bool largest = true;
        for (std::int64_t j = 0; j < num_classes; ++j) {
          largest = largest && logits[i * num_classes + j] <= logits[i * num_classes + labels[i]];
        }
        right += largest ? 1 : 0;
      }
      EXPECT_EQ(this->count(num_classes, logits, labels), static_cast<float>(right))
          << N << " x " << num_classes;
    }
  }
}

TYPED_TEST(CountCorrectTest, OfEqualLogitsTheFirstIsTheAnswer) {
  EXPECT_EQ(this->count(3, {2, 2, 1, 2, 2, 1}, {0, 1}), 1.0F);
  const float lowest = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(this->count(2, {lowest, lowest}, {0}), 1.0F);
}

TYPED_TEST(CountCorrectTest, ARowWithANanIsNeverRight) {
  const float nan = std::nanf("");
  EXPECT_EQ(this->count(3, {nan, 1, 2, 0, nan, 2, 0, 1, nan}, {0, 2, 2}), 0.0F);
  EXPECT_EQ(this->count(3, {nan, 1, 2, 0, 1, 2}, {2, 2}), 1.0F);
  EXPECT_EQ(this->count(2, {nan, 1}, {-1}), 0.0F);  // nor where its label is no class either
}

TYPED_TEST(CountCorrectTest, BinaryWantsTheSignOfTheLabel) {
  EXPECT_EQ(this->count_binary({3, -3, 3, -3}, {1, 0, 0, 1}), 2.0F);
  EXPECT_EQ(this->count_binary({}, {}), 0.0F);
  const float tiny = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(this->count_binary({tiny, -tiny}, {1, 0}), 2.0F);
}

TYPED_TEST(CountCorrectTest, BinaryNeverCountsZeroOrNan) {
  const float nan = std::nanf("");
  EXPECT_EQ(this->count_binary({0, 0, -0.0F, -0.0F, nan, nan}, {0, 1, 0, 1, 0, 1}), 0.0F);
}

TYPED_TEST(CountCorrectTest, Accumulates) {
  const auto logits = this->upload(std::vector<float>{2.0F, 1.0F});
  const auto ids = this->upload(std::vector<std::int32_t>{0});
  auto count = this->upload(std::vector<float>{41.0F});
  count_correct(this->ctx(), 1, 2, logits.data(), ids.data(), Write::kAccumulate, count.data());
  EXPECT_EQ(count.read()[0], 42.0F);

  const auto labels = this->upload(std::vector<float>{1.0F, 1.0F});
  count_correct_binary(this->ctx(), 2, logits.data(), labels.data(), Write::kAccumulate,
                       count.data());
  EXPECT_EQ(count.read()[0], 44.0F);
}

TYPED_TEST(CountCorrectTest, RefusesBadSizes) {
  EXPECT_THROW(count_correct(this->ctx(), -1, 2, nullptr, nullptr, Write::kOverwrite, nullptr),
               std::invalid_argument);
  EXPECT_THROW(count_correct(this->ctx(), 0, 0, nullptr, nullptr, Write::kOverwrite, nullptr),
               std::invalid_argument);
  EXPECT_THROW(count_correct_binary(this->ctx(), -1, nullptr, nullptr, Write::kOverwrite, nullptr),
               std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
