#include "tests/simt/race/memory_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/memory_shapes.h"

namespace planted {
namespace {

class MemoryShapeTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(simt::can_record_memory_shapes());
    simt::record_memory_shapes(true);
  }
  void TearDown() override { simt::record_memory_shapes(false); }

  // The one shape of this kind.
  static simt::MemoryShape shape(bool shared, bool write) {
    simt::MemoryShape found;
    int count = 0;
    for (const simt::MemoryShape& candidate : simt::memory_shapes()) {
      if (candidate.shared != shared || candidate.write != write) continue;
      found = candidate;
      ++count;
    }
    EXPECT_EQ(count, 1);
    return found;
  }

  DeviceArray<float> x_{ramp(1024)};
  DeviceArray<float> y_{1024};
};

TEST_F(MemoryShapeTest, NeighbouringElementsShareSectors) {
  copy_strided(1, x_.data(), y_.data());
  const simt::MemoryShape load = shape(/*shared=*/false, /*write=*/false);
  EXPECT_EQ(load.bytes, 4u);
  EXPECT_EQ(load.requests, 1u);
  EXPECT_EQ(load.transactions, 4u);
  EXPECT_TRUE(load.is_ideal());
  EXPECT_THAT(load.file, testing::EndsWith("memory_shapes.cu"));
  EXPECT_GT(load.line, 0);
  EXPECT_THAT(load.kernel, testing::HasSubstr("copy_strided_kernel"));
}

TEST_F(MemoryShapeTest, AStrideCostsASectorPerElement) {
  copy_strided(32, x_.data(), y_.data());
  EXPECT_EQ(shape(/*shared=*/false, /*write=*/false).transactions, 32u);
  EXPECT_EQ(shape(/*shared=*/false, /*write=*/false).ideal, 4u);
  EXPECT_TRUE(shape(/*shared=*/false, /*write=*/true).is_ideal());
}

TEST_F(MemoryShapeTest, AnUnalignedBaseCostsOneSectorMore) {
  copy_strided(1, x_.data() + 3, y_.data());
  EXPECT_EQ(shape(/*shared=*/false, /*write=*/false).transactions, 5u);
}

TEST_F(MemoryShapeTest, AColumnOf32IsInOneBank) {
  transpose_rows_of_32(x_.data(), y_.data());
  const simt::MemoryShape load = shape(/*shared=*/true, /*write=*/false);
  EXPECT_EQ(load.requests, 32u);
  EXPECT_DOUBLE_EQ(load.per_request(), 32);
  EXPECT_TRUE(shape(/*shared=*/true, /*write=*/true).is_ideal());
}

TEST_F(MemoryShapeTest, APaddedColumnIsInAllBanks) {
  transpose_rows_of_33(x_.data(), y_.data());
  for (const simt::MemoryShape& shape : simt::memory_shapes()) {
    EXPECT_TRUE(shape.is_ideal()) << text(shape);
  }
}

TEST_F(MemoryShapeTest, SixteenBytesGoInFourPasses) {
  copy_fours(x_.data(), y_.data());
  for (const simt::MemoryShape& shape : simt::memory_shapes()) {
    EXPECT_EQ(shape.bytes, 16u);
    EXPECT_DOUBLE_EQ(shape.per_request(), shape.shared ? 4 : 16);
    EXPECT_TRUE(shape.is_ideal()) << text(shape);
  }
  EXPECT_EQ(simt::memory_shapes().size(), 4u);
}

TEST_F(MemoryShapeTest, RecordingStartsAfresh) {
  copy_strided(1, x_.data(), y_.data());
  simt::record_memory_shapes(true);
  EXPECT_TRUE(simt::memory_shapes().empty());
}

}  // namespace
}  // namespace planted
