#include "kernels/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/support/backends.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

template <typename Ctx>
class RecordTest : public BackendTest<Ctx> {
 protected:
  // The ring after noting `values` on this step.
  std::vector<float> record(const std::vector<float>& values, std::int64_t step,
                            std::int64_t capacity, const std::vector<float>& before) {
    const auto scalars = this->upload(values, Base::kOffByOne);
    const auto steps = this->upload(std::vector<std::int64_t>{step});
    auto ring = this->upload(before, Base::kOffByOne);
    std::vector<const float*> pointers;
    // Last value first: where a scalar lies says nothing about its column.
    for (std::int64_t i = scalars.size() - 1; i >= 0; --i) pointers.push_back(scalars.data() + i);
    record_scalars(this->ctx(), pointers, steps.data(), capacity, ring.data());
    return ring.read();
  }
};
TYPED_TEST_SUITE(RecordTest, Backends, BackendNames);

TYPED_TEST(RecordTest, WritesTheRowOfTheStepAndNoOther) {
  const std::vector<float> before = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(this->record({8, 7}, 0, 3, before), (std::vector<float>{7, 8, 3, 4, 5, 6}));
  EXPECT_EQ(this->record({8, 7}, 2, 3, before), (std::vector<float>{1, 2, 3, 4, 7, 8}));
  EXPECT_EQ(this->record({8}, 4, 6, before), (std::vector<float>{1, 2, 3, 4, 8, 6}));
}

TYPED_TEST(RecordTest, WrapsAround) {
  const std::vector<float> before = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(this->record({8, 7}, 4, 3, before), (std::vector<float>{1, 2, 7, 8, 5, 6}));
  const std::int64_t late = (std::int64_t{1} << 40U) * 3 + 2;
  EXPECT_EQ(this->record({8, 7}, late, 3, before), (std::vector<float>{1, 2, 3, 4, 7, 8}));
  EXPECT_EQ(this->record({9}, 12345, 1, {0}), std::vector<float>{9});
}

TYPED_TEST(RecordTest, TakesFromNoneToTheLargestNumberOfScalars) {
  EXPECT_EQ(this->record({}, 1, 2, {1, 2}), (std::vector<float>{1, 2}));
  const std::vector<float> most = {8, 7, 6, 5, 4, 3, 2, 1};
  ASSERT_EQ(most.size(), kMaxRecordedScalars);
  EXPECT_EQ(this->record(most, 0, 1, std::vector<float>(8)),
            (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}));
}

TYPED_TEST(RecordTest, RefusesBadArguments) {
  const auto run = [this](std::size_t scalars, std::int64_t capacity) {
    return [this, scalars, capacity] {
      const std::vector<const float*> pointers(scalars);
      record_scalars(this->ctx(), pointers, nullptr, capacity, nullptr);
    };
  };
  EXPECT_THAT(run(kMaxRecordedScalars + 1, 1),
              ThrowsMessage<std::invalid_argument>(HasSubstr("9 scalars, must be at most 8")));
  EXPECT_THAT(run(1, 0), ThrowsMessage<std::invalid_argument>(HasSubstr("capacity is 0")));
  EXPECT_THAT(run(0, -1), ThrowsMessage<std::invalid_argument>(HasSubstr("capacity is -1")));
}

}  // namespace
}  // namespace gradflip
