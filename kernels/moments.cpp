// Decomposition  row by row, a vector of channels at a time, its pixels in four chains.
// Numerics       combine_moments sums in double: a number per row and channel.
// Cost           row_moments reads x once; the rest is small.
#include "kernels/moments.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/moments.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

constexpr int kChains = 4;

// Of `count` channels of one row, which lie `C` apart from pixel to pixel.
template <bool kWhole>
HWY_INLINE void moments_of_channels(std::int64_t pixels, std::int64_t C, std::int64_t count,
                                    const float* x, float* mean, float* deviations) {
  const auto load_channels = [count](const float* at)
                                 HWY_ATTR { return kWhole ? load(at) : load_first(count, at); };
  const Floats first = load_channels(x);
  Floats sum[kChains], squares[kChains];
  GRADFLIP_UNROLL
  for (int chain = 0; chain < kChains; ++chain) sum[chain] = squares[chain] = zeros();
  const auto add = [&](int chain, std::int64_t pixel) HWY_ATTR {
    const Floats shifted = hn::Sub(load_channels(x + pixel * C), first);
    sum[chain] = hn::Add(sum[chain], shifted);
    squares[chain] = hn::MulAdd(shifted, shifted, squares[chain]);
  };
  std::int64_t pixel = 0;
  for (; pixel + kChains <= pixels; pixel += kChains) {
    GRADFLIP_UNROLL
    for (int chain = 0; chain < kChains; ++chain) add(chain, pixel + chain);
  }
  for (; pixel < pixels; ++pixel) add(0, pixel);
  const Floats total = hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3]));
  const Floats total_squares =
      hn::Add(hn::Add(squares[0], squares[1]), hn::Add(squares[2], squares[3]));
  const Floats shift = hn::Mul(total, broadcast(1.0F / static_cast<float>(pixels)));
  const Floats row_mean = hn::Add(first, shift);
  // Not Max: it may drop a NaN.
  const Floats difference = hn::NegMulAdd(total, shift, total_squares);
  const Floats sum_of_squares = hn::IfThenElse(hn::Lt(difference, zeros()), zeros(), difference);
  if (kWhole) {
    store(row_mean, mean);
    store(sum_of_squares, deviations);
  } else {
    store_first(count, row_mean, mean);
    store_first(count, sum_of_squares, deviations);
  }
}

void row_moments_simd(std::int64_t rows, std::int64_t pixels, std::int64_t C, const float* x,
                      float* of_rows) {
  for (std::int64_t i = 0; i < rows; ++i, x += pixels * C, of_rows += 2 * C) {
    std::int64_t c = 0;
    for (; c + kLanes <= C; c += kLanes) {
      moments_of_channels<true>(pixels, C, kLanes, x + c, of_rows + c, of_rows + C + c);
    }
    if (c < C) {
      moments_of_channels<false>(pixels, C, C - c, x + c, of_rows + c, of_rows + C + c);
    }
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(row_moments_simd);

namespace {

// Channels whose sums in double stay in the first-level cache.
constexpr std::int64_t kSummedChannels = 64;
using BlockSums = std::array<double, kSummedChannels>;

// Calls visit(row of of_rows) for each row of the group.
template <typename Visit>
void for_each_row(const RowGroups& groups, int group, std::int64_t C, const float* of_rows,
                  const Visit& visit) {
  for (int run = 0; run < groups.runs; ++run) {
    for (std::int64_t i = 0; i < groups.run[run].rows; ++i, of_rows += 2 * C) {
      if (groups.run[run].group == group) visit(of_rows);
    }
  }
}

void write_moments(std::int64_t C, std::int64_t c, double mean, double variance, float epsilon,
                   float* moments) {
  moments[c] = static_cast<float>(mean);
  moments[C + c] = static_cast<float>(variance);
  moments[2 * C + c] = static_cast<float>(1.0 / std::sqrt(variance + epsilon));
}

}  // namespace

void require_valid_moments(std::int64_t rows, std::int64_t pixels, std::int64_t C) {
  GRADFLIP_REQUIRE(rows >= 0 && pixels > 0 && C > 0,
                   message("moments: ", rows, " rows (>= 0) of ", pixels, " pixels (> 0) and ", C,
                           " channels (> 0)"));
}

void row_moments(Cpu /*ctx*/, std::int64_t rows, std::int64_t pixels, std::int64_t C,
                 const float* x, float* of_rows) {
  require_valid_moments(rows, pixels, C);
  HWY_DYNAMIC_DISPATCH(row_moments_simd)(rows, pixels, C, x, of_rows);
}

void combine_moments(Cpu /*ctx*/, const RowGroups& groups, std::int64_t pixels, std::int64_t C,
                     float epsilon, const float* of_rows, float* moments) {
  require_valid(groups);
  require_valid_moments(groups.rows(), pixels, C);
  for (int group = 0; group < groups.groups; ++group, moments += kMoments * C) {
    const auto rows = static_cast<double>(std::max<std::int64_t>(groups.rows_of(group), 1));
    for (std::int64_t begin = 0; begin < C; begin += kSummedChannels) {
      const std::int64_t count = std::min(kSummedChannels, C - begin);
      BlockSums mean{}, variance{};
      for_each_row(groups, group, C, of_rows + begin, [&](const float* row) {
        for (std::int64_t c = 0; c < count; ++c) mean[c] += row[c];
      });
      for (std::int64_t c = 0; c < count; ++c) mean[c] /= rows;
      const double per_pixel = 1.0 / static_cast<double>(pixels);
      for_each_row(groups, group, C, of_rows + begin, [&](const float* row) {
        for (std::int64_t c = 0; c < count; ++c) {
          const double from_mean = row[c] - mean[c];
          variance[c] += row[C + c] * per_pixel + from_mean * from_mean;
        }
      });
      for (std::int64_t c = 0; c < count; ++c) {
        write_moments(C, begin + c, mean[c], variance[c] / rows, epsilon, moments);
      }
    }
  }
}

void known_moments(Cpu /*ctx*/, std::int64_t C, float epsilon, const float* mean,
                   const float* variance, float* moments) {
  require_valid_moments(0, 1, C);
  for (std::int64_t c = 0; c < C; ++c) {
    write_moments(C, c, mean[c], variance[c], epsilon, moments);
  }
}

void update_running(Cpu /*ctx*/, std::span<const RunningMoments> running, Scale times,
                    const std::int32_t* frozen) {
  GRADFLIP_REQUIRE(running.size() <= kMaxRunningMoments,
                   message("moments: ", running.size(), " running ones, at most ",
                           kMaxRunningMoments, " at once"));
  if (frozen != nullptr && *frozen != 0) return;
  const float factor = value_of(times);
  for (const RunningMoments& each : running) {
    const float rate = factor * each.momentum;
    for (std::int64_t c = 0; c < each.C; ++c) {
      each.mean[c] = folded(rate, each.mean[c], each.moments[c]);
      each.variance[c] = folded(rate, each.variance[c], each.moments[each.C + c] * each.correction);
    }
  }
}

}  // namespace gradflip
#endif  // HWY_ONCE
