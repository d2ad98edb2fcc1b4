#include "kernels/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>

#include "tests/support/backends.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using Order = std::vector<std::int64_t>;

Order epoch_order(const Sampler& sampler, std::int64_t epoch) {
  Order order(static_cast<std::size_t>(sampler.size));
  for (std::int64_t place = 0; place < sampler.size; ++place) {
    order[place] = sample_index(sampler, epoch * sampler.size + place);
  }
  return order;
}

Order sorted(Order order) {
  std::sort(order.begin(), order.end());
  return order;
}

Order first_integers(std::int64_t size) {
  Order order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

TEST(SampleIndexTest, EveryEpochTakesEveryPictureOnce) {
  std::vector<std::int64_t> sizes = {60000, 59999, 65535, 65536, 65537, 16384, 16385};
  for (std::int64_t size = 1; size <= 300; ++size) sizes.push_back(size);
  for (const std::int64_t size : sizes) {
    const Sampler sampler = {.seed = 17, .stream = 1, .size = size, .batch = 1};
    for (const std::int64_t epoch : {0, 1, 5}) {
      ASSERT_EQ(sorted(epoch_order(sampler, epoch)), first_integers(size)) << size << ' ' << epoch;
    }
  }
}

// Runs are repeated and resumed by these numbers; a second implementation of the scheme, apart from
// this one, gave them.
TEST(SampleIndexTest, KnownOrders) {
  const Sampler digits = {.seed = 0x0123456789ABCDEFU, .stream = 1, .size = 60000, .batch = 64};
  Order first;
  for (std::int64_t position = 0; position < 4; ++position) {
    first.push_back(sample_index(digits, position));
  }
  EXPECT_EQ(first, (Order{6379, 48204, 17759, 56635}));
  EXPECT_EQ(epoch_order({.seed = 3, .size = 7, .batch = 1}, 2), (Order{3, 2, 0, 5, 6, 4, 1}));
}

TEST(SampleIndexTest, LargeSizesStayInRangeAndApart) {
  for (const std::int64_t size : {(std::int64_t{1} << 40U) - 1, std::int64_t{1} << 40U,
                                  (std::int64_t{1} << 40U) + 1, std::int64_t{1} << 62U}) {
    const Sampler sampler = {.seed = 4, .size = size, .batch = 1};
    std::set<std::int64_t> seen;
    std::int64_t largest = 0;
    for (std::int64_t position = 0; position < 2000; ++position) {
      const std::int64_t index = sample_index(sampler, position);
      ASSERT_GE(index, 0);
      ASSERT_LT(index, size);
      EXPECT_TRUE(seen.insert(index).second) << position;
      largest = std::max(largest, index);
    }
    // The largest of 2000 uniform draws is below 0.98 once in 10^17.
    EXPECT_GT(static_cast<double>(largest), 0.98 * static_cast<double>(size));
  }
}

TEST(SampleIndexTest, SeedStreamAndEpochEachChangeTheOrder) {
  const Sampler base = {.seed = 1, .stream = 0, .size = 1000, .batch = 1};
  Sampler other_seed = base;
  other_seed.seed = 2;
  Sampler other_high_seed = base;
  other_high_seed.seed += std::uint64_t{1} << 32U;
  Sampler other_stream = base;
  other_stream.stream = 1;
  const std::array<Order, 5> orders = {epoch_order(base, 0), epoch_order(other_seed, 0),
                                       epoch_order(other_high_seed, 0),
                                       epoch_order(other_stream, 0), epoch_order(base, 1)};
  for (std::size_t a = 0; a < orders.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      int agreements = 0;
      for (std::size_t i = 0; i < 1000; ++i) agreements += orders[a][i] == orders[b][i] ? 1 : 0;
      // Two independent orders agree in one place on average: Poisson, above 9 once in 10^7.
      EXPECT_LE(agreements, 9) << a << ' ' << b;
    }
  }
}

// The smallest sets have the narrowest Feistel halves, where a bad mix would show most.
TEST(SampleIndexTest, EveryOrderOfATinySetIsAboutEquallyLikely) {
  for (const std::int64_t size : {2, 3, 4, 5}) {
    const Sampler sampler = {.seed = 11, .size = size, .batch = 1};
    std::map<Order, int> counts;
    constexpr int kEpochs = 24000;
    for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) ++counts[epoch_order(sampler, epoch)];
    double orders = 1.0;
    for (std::int64_t factor = 2; factor <= size; ++factor) orders *= static_cast<double>(factor);
    ASSERT_EQ(static_cast<double>(counts.size()), orders) << size;
    for (const auto& [order, count] : counts) {
      EXPECT_NEAR(count / (kEpochs / orders), 1.0, 0.5) << testing::PrintToString(order);
    }
  }
}

TEST(SampleIndexTest, NeighboursAreUncorrelated) {
  const Sampler sampler = {.seed = 21, .size = 10007, .batch = 1};
  const Order order = epoch_order(sampler, 0);
  const double middle = 0.5 * static_cast<double>(sampler.size - 1);
  double with_place = 0.0;
  double with_next = 0.0;
  double variance = 0.0;
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    const double centred = static_cast<double>(order[i]) - middle;
    with_place += centred * (static_cast<double>(i) - middle);
    with_next += centred * (static_cast<double>(order[i + 1]) - middle);
    variance += centred * centred;
  }
  EXPECT_NEAR(with_place / variance, 0.0, 0.05);  // five standard errors of 1/sqrt(10007)
  EXPECT_NEAR(with_next / variance, 0.0, 0.05);
}

TEST(SampleIndexTest, WithoutShufflingThePositionsWrap) {
  const Sampler sampler = {.size = 5, .batch = 2, .shuffle = false};
  EXPECT_EQ(epoch_order(sampler, 0), first_integers(5));
  EXPECT_EQ(epoch_order(sampler, 9), first_integers(5));
}

TEST(SampleIndexTest, RefusesBadArguments) {
  EXPECT_THAT([] { sample_index({.size = 0, .batch = 1}, 0); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("0 pictures")));
  EXPECT_THAT([] { sample_index({.size = 3, .batch = 1}, -1); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("position is -1")));
}

template <typename Ctx>
class SampleIndicesTest : public BackendTest<Ctx> {
 protected:
  Order take(const Sampler& sampler, std::int64_t step, std::int64_t row_begin,
             std::int64_t count) {
    const auto steps = this->upload(std::vector<std::int64_t>{step});
    auto indices = this->template poisoned<std::int64_t>(count);
    sample_indices(this->ctx(), sampler, steps.data(), row_begin, count, indices.data());
    return indices.read();
  }
};
TYPED_TEST_SUITE(SampleIndicesTest, Backends, BackendNames);

TYPED_TEST(SampleIndicesTest, StepsWalkTheSequenceAcrossEpochs) {
  const Sampler sampler = {.seed = 5, .stream = 2, .size = 37, .batch = 16};
  Order walked;
  for (std::int64_t step = 0; step < 37; ++step) {
    const Order rows = this->take(sampler, step, 0, sampler.batch);
    walked.insert(walked.end(), rows.begin(), rows.end());
  }
  for (std::int64_t epoch = 0; epoch < 16; ++epoch) {
    const Order taken(walked.begin() + epoch * 37, walked.begin() + (epoch + 1) * 37);
    EXPECT_EQ(taken, epoch_order(sampler, epoch)) << epoch;
  }
}

TYPED_TEST(SampleIndicesTest, ShardsTakeTheRowsOfTheWholeBatch) {
  const Sampler sampler = {.seed = 6, .size = 100, .batch = 13};
  const Order whole = this->take(sampler, 41, 0, 13);
  Order joined = this->take(sampler, 41, 0, 5);
  for (const std::int64_t index : this->take(sampler, 41, 5, 8)) joined.push_back(index);
  EXPECT_EQ(joined, whole);
  EXPECT_TRUE(this->take(sampler, 41, 13, 0).empty());
}

TYPED_TEST(SampleIndicesTest, RefusesBadArguments) {
  const Sampler good = {.size = 3, .batch = 2};
  EXPECT_THROW(this->take({.size = 0, .batch = 2}, 0, 0, 0), std::invalid_argument);
  EXPECT_THROW(this->take({.size = 3, .batch = 0}, 0, 0, 0), std::invalid_argument);
  EXPECT_THROW(this->take(good, 0, -1, 0), std::invalid_argument);
  const std::int64_t step = 0;
  EXPECT_THROW(sample_indices(this->ctx(), good, &step, 0, -1, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
