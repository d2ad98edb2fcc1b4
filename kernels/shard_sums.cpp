// One pass: the rows of a vector meet in registers, and the sum is tested for what is not finite on
// its way out, which costs no instruction that waits for memory.

#include "kernels/shard_sums.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/shard_sums.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// Depth first, so that few registers hold sums that are not complete.
template <int kRows, typename Load>
HWY_INLINE Floats tree(int first, const Load& row) {
  if constexpr (kRows == 1) {
    return row(first);
  } else {
    constexpr int kLeft = static_cast<int>(std::bit_floor(static_cast<unsigned>(kRows - 1)));
    return hn::Add(tree<kLeft>(first, row), tree<kRows - kLeft>(first + kLeft, row));
  }
}

// Whether every element of y is finite.
template <int kRows>
bool add_rows(std::int64_t row_stride, std::int64_t size, const float* x, float* y) {
  const IntTag di;
  // v - v is 0, all bits clear, for every finite v, and a NaN for all others.
  Ints odd = hn::Zero(di);
  const auto note = [&](Floats v) HWY_ATTR { odd = hn::Or(odd, hn::BitCast(di, hn::Sub(v, v))); };
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    const Floats sum =
        tree<kRows>(0, [&](int row) HWY_ATTR { return load(x + row * row_stride + i); });
    note(sum);
    store(sum, y + i);
  }
  if (i < size) {
    const std::int64_t rest = size - i;
    const Floats sum = tree<kRows>(
        0, [&](int row) HWY_ATTR { return load_first(rest, x + row * row_stride + i); });
    note(sum);
    store_first(rest, sum, y + i);
  }
  return hn::AllTrue(di, hn::Eq(odd, hn::Zero(di)));
}

template <int kRows = static_cast<int>(kMaxShardRows)>
bool add_shards_simd(std::int64_t rows, std::int64_t row_stride, std::int64_t size, const float* x,
                     float* y) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return add_shards_simd<kRows - 1>(rows, row_stride, size, x, y);
  }
  return add_rows<kRows>(row_stride, size, x, y);
}

bool add_shards_of(std::int64_t rows, std::int64_t row_stride, std::int64_t size, const float* x,
                   float* y) {
  return add_shards_simd(rows, row_stride, size, x, y);
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(add_shards_of);

std::int64_t add_shards(Cpu /*ctx*/, std::int64_t rows, std::int64_t row_stride, std::int64_t size,
                        const float* x, float* y) {
  GRADFLIP_REQUIRE(rows >= 1 && rows <= kMaxShardRows && size >= 0,
                   message("add_shards: ", rows, " rows (1 to ", kMaxShardRows, ") of ", size));
  if (HWY_DYNAMIC_DISPATCH(add_shards_of)(rows, row_stride, size, x, y)) return size;
  return std::find_if_not(y, y + size, [](float sum) { return std::isfinite(sum); }) - y;
}

}  // namespace gradflip
#endif  // HWY_ONCE
