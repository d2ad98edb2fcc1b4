#include "tests/support/guarded.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace gradflip {
namespace {

using testing::Each;
using testing::HasSubstr;

TEST(GuardedBufferTest, StartsPoisoned) {
  const GuardedBuffer<float> floats(5);
  EXPECT_THAT(floats.read(), Each(testing::IsNan()));
  const GuardedBuffer<std::int32_t> integers(5);
  EXPECT_THAT(integers.read(), Each(static_cast<std::int32_t>(0xA5A5A5A5U)));
}

TEST(GuardedBufferTest, KeepsItsContents) {
  const std::vector<float> contents = {1.0F, -2.0F, 3.5F};
  EXPECT_EQ(GuardedBuffer<float>(contents).read(), contents);
  EXPECT_EQ(GuardedBuffer<float>(contents, Base::kOffByOne).read(), contents);
}

TEST(GuardedBufferTest, BaseIsAlignedOrOneElementOff) {
  const GuardedBuffer<float> aligned(3);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned.data()) % 64, 0U);
  const GuardedBuffer<float> shifted(3, Base::kOffByOne);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(shifted.data()) % 64, sizeof(float));
}

TEST(GuardedBufferTest, NoticesAWriteOnEitherSide) {
  for (const Base base : {Base::kAligned, Base::kOffByOne}) {
    for (const std::int64_t size : {0, 1, 7}) {
      for (const std::int64_t element : {std::int64_t{-1}, size}) {
        GuardedBuffer<float> buffer(size, base);
        EXPECT_TRUE(buffer.guards_intact());
        buffer.data()[element] = 0.0F;
        EXPECT_FALSE(buffer.guards_intact()) << size << ' ' << element;
        buffer.write_guards();
        EXPECT_TRUE(buffer.guards_intact());
      }
    }
  }
}

TEST(GuardedBufferTest, NoticesACopyOfAnothersGuard) {
  const GuardedBuffer<float> x(3);
  GuardedBuffer<float> y(3);
  y.data()[3] = x.data()[3];
  EXPECT_FALSE(y.guards_intact());
  y.write_guards();
}

TEST(GuardedBufferTest, DamageFailsTheTest) {
  EXPECT_NONFATAL_FAILURE(
      {
        GuardedBuffer<std::uint8_t> buffer(9);
        buffer.data()[9] ^= 1U;
      },
      "written outside an array of 9 elements");
}

TEST(GuardedBufferTest, WhatLiesOutsideIsNan) {
  const GuardedBuffer<float> buffer(3);
  EXPECT_TRUE(std::isnan(buffer.data()[-1]));
  EXPECT_TRUE(std::isnan(buffer.data()[3]));
}

}  // namespace
}  // namespace gradflip
