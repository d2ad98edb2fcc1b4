#include "kernels/row_sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <utility>

#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/row_sums.h"

namespace gradflip {
namespace {

using reference::widen;

// Rows and features: about the sizes at which blocks, lanes and threads of a row change.
constexpr std::pair<std::int64_t, std::int64_t> kMatrices[] = {
    {0, 5},  {0, 0},  {3, 0},  {1, 1},  {2, 3},   {257, 4},  {7, 5},
    {9, 31}, {9, 32}, {5, 63}, {5, 64}, {3, 131}, {9973, 2}, {1031, 1}};
constexpr std::pair<std::int64_t, std::int64_t> kPictures[] = {{3, 1024}, {2, 1025}, {1, 5003}};

template <typename Ctx>
class RowSumsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(RowSumsTest, Backends, BackendNames);

TYPED_TEST(RowSumsTest, SumRowsMatchesReference) {
  const auto times = this->upload(std::vector<float>{0.5F});
  for (const auto& [rows, features] : kMatrices) {
    SCOPED_TRACE(testing::Message() << rows << " x " << features);
    const std::vector<float> x = random_floats(rows * features, 1);
    const std::vector<float> old = random_floats(features, 2);
    const auto input = this->upload(x, Base::kOffByOne);
    const reference::Sums want = reference::sum_rows(features, -1.5, widen(x));

    auto y = this->poisoned(features);
    sum_rows(this->ctx(), rows, features, Scale{-1.5F}, input.data(), Write::kOverwrite, y.data());
    EXPECT_TRUE(all_close(y.read(), want, kSum));

    auto added = this->upload(old, Base::kOffByOne);
    sum_rows(this->ctx(), rows, features, Scale{-3.0F, times.data()}, input.data(),
             Write::kAccumulate, added.data());
    EXPECT_TRUE(all_close(added.read(), reference::accumulated(want, old), kSum));
  }
}

// On a GPU of up to 132 multiprocessors: a block takes 32 features instead of eight.
TYPED_TEST(RowSumsTest, SumRowsOfManyFeatures) {
  const std::vector<float> x = random_floats(3 * 4229, 10);
  const auto input = this->upload(x);
  auto y = this->poisoned(4229);
  sum_rows(this->ctx(), 3, 4229, Scale{}, input.data(), Write::kOverwrite, y.data());
  EXPECT_TRUE(all_close(y.read(), reference::sum_rows(4229, 1.0, widen(x)), kSum));
}

TYPED_TEST(RowSumsTest, SpreadRowsRepeatsTheScaledRow) {
  const auto times = this->upload(std::vector<float>{-0.3F});
  for (const auto& [rows, features] : kMatrices) {
    SCOPED_TRACE(testing::Message() << rows << " x " << features);
    const std::vector<float> x = random_floats(features, 3);
    const auto row = this->upload(x, Base::kOffByOne);
    auto y = this->poisoned(rows * features);
    spread_rows(this->ctx(), rows, features, Scale{2.0F, times.data()}, row.data(), y.data());
    std::vector<float> want;
    for (std::int64_t i = 0; i < rows; ++i) {
      for (const float value : x) want.push_back(2.0F * -0.3F * value);
    }
    EXPECT_EQ(y.read(), want);
  }
}

TYPED_TEST(RowSumsTest, SumFeaturesMatchesReference) {
  const auto check = [this](std::int64_t rows, std::int64_t features) {
    SCOPED_TRACE(testing::Message() << rows << " x " << features);
    const std::vector<float> x = random_floats(rows * features, 4);
    const auto input = this->upload(x, Base::kOffByOne);
    auto y = this->poisoned(rows);
    sum_features(this->ctx(), rows, features, input.data(), y.data());
    EXPECT_TRUE(all_close(y.read(), reference::sum_features(rows, features, widen(x)), kSum));
  };
  for (const auto& [rows, features] : kMatrices) check(rows, features);
  for (const auto& [rows, features] : kPictures) check(rows, features);
}

TYPED_TEST(RowSumsTest, SpreadFeaturesRepeatsEachRowsValue) {
  for (const auto& [rows, features] : kMatrices) {
    SCOPED_TRACE(testing::Message() << rows << " x " << features);
    const std::vector<float> x = random_floats(rows, 5);
    const auto values = this->upload(x, Base::kOffByOne);
    auto y = this->poisoned(rows * features);
    spread_features(this->ctx(), rows, features, values.data(), y.data());
    std::vector<float> want;
    for (const float value : x) want.insert(want.end(), static_cast<std::size_t>(features), value);
    EXPECT_EQ(y.read(), want);
  }
}

// A GPU's grid is of limited size: its threads come round again.
TYPED_TEST(RowSumsTest, SpreadsOverMoreElementsThanAGridHasThreads) {
  constexpr std::int64_t kRows = 389, kFeatures = 1009;
  const std::vector<float> row_values = random_floats(kRows, 6);
  const std::vector<float> feature_values = random_floats(kFeatures, 7);
  const auto of_rows = this->upload(row_values);
  const auto of_features = this->upload(feature_values);
  auto same_in_rows = this->poisoned(kRows * kFeatures);
  auto same_in_columns = this->poisoned(kRows * kFeatures);
  spread_features(this->ctx(), kRows, kFeatures, of_rows.data(), same_in_rows.data());
  spread_rows(this->ctx(), kRows, kFeatures, Scale{}, of_features.data(), same_in_columns.data());
  const std::vector<float> in_rows = same_in_rows.read();
  const std::vector<float> in_columns = same_in_columns.read();
  std::int64_t wrong = 0;
  for (std::int64_t at = 0; at < kRows * kFeatures; ++at) {
    wrong += in_rows[at] == row_values[at / kFeatures] ? 0 : 1;
    wrong += in_columns[at] == feature_values[at % kFeatures] ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0);
}

// What a row's sum is must not depend on the rows beside it.
TYPED_TEST(RowSumsTest, SumFeaturesOfARowAloneHasTheSameBits) {
  for (const std::int64_t features : {3, 65, 2000}) {
    const std::vector<float> x = random_floats(11 * features, 8);
    const auto matrix = this->upload(x);
    const auto row = this->upload(std::vector<float>(x.end() - features, x.end()));
    auto together = this->poisoned(11);
    auto alone = this->poisoned(1);
    sum_features(this->ctx(), 11, features, matrix.data(), together.data());
    sum_features(this->ctx(), 1, features, row.data(), alone.data());
    EXPECT_EQ(alone.read()[0], together.read()[10]) << features;
  }
}

TYPED_TEST(RowSumsTest, ANanReachesItsSumsOnly) {
  std::vector<float> x = random_floats(40 * 50, 9);
  x[13 * 50 + 27] = std::nanf("");
  const auto input = this->upload(x);
  auto of_rows = this->poisoned(50);
  auto of_features = this->poisoned(40);
  sum_rows(this->ctx(), 40, 50, Scale{}, input.data(), Write::kOverwrite, of_rows.data());
  sum_features(this->ctx(), 40, 50, input.data(), of_features.data());
  for (std::size_t c = 0; c < 50; ++c) EXPECT_EQ(std::isnan(of_rows.read()[c]), c == 27) << c;
  for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(std::isnan(of_features.read()[i]), i == 13) << i;
}

TYPED_TEST(RowSumsTest, RefusesNegativeSizes) {
  const auto ctx = this->ctx();
  EXPECT_THROW(sum_rows(ctx, -1, 2, Scale{}, nullptr, Write::kOverwrite, nullptr),
               std::invalid_argument);
  EXPECT_THROW(spread_rows(ctx, 2, -1, Scale{}, nullptr, nullptr), std::invalid_argument);
  EXPECT_THROW(sum_features(ctx, -1, 2, nullptr, nullptr), std::invalid_argument);
  EXPECT_THROW(spread_features(ctx, 2, -1, nullptr, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
