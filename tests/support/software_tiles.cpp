#include "tests/support/software_tiles.h"

#include <bit>
#include <cmath>
#include <limits>

namespace gradflip {
namespace {

float flushed(float value) {
  const bool is_small = std::abs(value) < std::numeric_limits<float>::min();
  return is_small ? std::copysign(0.0F, value) : value;
}

struct Values {
  float rows[kTileRows][kTileRowBytes / 2];
};

Values values_of(const SoftwareTile& tile) {
  Values values{};
  for (std::int64_t row = 0; row < kTileRows; ++row) {
    for (std::int64_t column = 0; column < kTileRowBytes / 2; ++column) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, tile.rows[row] + 2 * column, sizeof(bits));
      values.rows[row][column] = flushed(std::bit_cast<float>(std::uint32_t{bits} << 16U));
    }
  }
  return values;
}

}  // namespace

void multiply_add_bf16(std::int64_t rows, std::int64_t columns, std::int64_t pairs,
                       const SoftwareTile& A, const SoftwareTile& B, SoftwareTile& sums) {
  const Values a = values_of(A);
  const Values b = values_of(B);
  for (std::int64_t m = 0; m < rows; ++m) {
    float even[kTileRowBytes / 4] = {};
    float odd[kTileRowBytes / 4] = {};
    for (std::int64_t j = 0; j < pairs; ++j) {
      // A product of two bf16 is exact as a float, so adding it rounds once, as std::fma does.
      for (std::int64_t n = 0; n < columns; ++n) {
        even[n] = flushed(a.rows[m][2 * j] * b.rows[j][2 * n] + even[n]);
        odd[n] = flushed(a.rows[m][2 * j + 1] * b.rows[j][2 * n + 1] + odd[n]);
      }
    }
    for (std::int64_t n = 0; n < columns; ++n) {
      float sum = 0.0F;
      std::byte* const place = sums.rows[m] + 4 * n;
      std::memcpy(&sum, place, sizeof(sum));
      sum = flushed(flushed(sum) + flushed(even[n] + odd[n]));
      std::memcpy(place, &sum, sizeof(sum));
    }
  }
}

}  // namespace gradflip
