#include "kernels/bit_width.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>

namespace gradflip {
namespace {

TEST(BitWidthTest, IsThatOfTheStandardLibrary) {
  for (int bits = 0; bits < 64; ++bits) {
    const std::uint64_t power = std::uint64_t{1} << bits;
    for (const std::uint64_t value : {power - 1, power, power + 1, ~power}) {
      EXPECT_EQ(bit_width(value), std::bit_width(value)) << value;
    }
  }
}

}  // namespace
}  // namespace gradflip
