// Decomposition  window by window, a vector of channels at a time: x is read in the order in which
//                it lies, and what is known of the channels comes from the first cache.
// Cost           memory-bound, with 2x2 windows in bytes per element of x: 4 and 9/4 forward, 8 and
//                5/4 backward.
#include "kernels/batch_norm_pool.h"

#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/batch_norm_pool.cpp"
#include "kernels/cpu/channel_norm.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// Calls visit(group, row) for every row.
template <typename Visit>
HWY_INLINE void for_each_grouped_row(const RowGroups& groups, const Visit& visit) {
  std::int64_t row = 0;
  for (int run = 0; run < groups.runs; ++run) {
    for (std::int64_t i = 0; i < groups.run[run].rows; ++i) visit(groups.run[run].group, row++);
  }
}

// The places of a window, whose numbers the compiler knows where windows are 2x2.
template <bool kTwoByTwo>
struct WindowPlaces {
  HWY_INLINE explicit WindowPlaces(const Pool2dShape& pool)
      : rows(kTwoByTwo ? 2 : pool.window_h),
        columns(kTwoByTwo ? 2 : pool.window_w),
        column(pool.C),
        row(pool.W * pool.C) {}

  std::int64_t rows, columns;
  std::int64_t column, row;  // from one to the next in memory
};

// A window's channels from x on.
template <bool kTwoByTwo, bool kWhole>
HWY_INLINE void norm_pool_window(const ChannelNorm<kWhole>& channel,
                                 const WindowPlaces<kTwoByTwo>& places, const float* x, float* y,
                                 std::uint8_t* winner, float* at_winner) {
  const IntTag tag;
  Floats best = zeros(), best_x = zeros();
  Ints place = hn::Zero(tag);
  std::int32_t position = 0;
  for (std::int64_t r = 0; r < places.rows; ++r) {
    for (std::int64_t s = 0; s < places.columns; ++s, ++position) {
      const Floats own = channel.channels.load_at(x + r * places.row + s * places.column);
      const Floats value = channel.rectified(channel.unrectified(channel.normalised(own)));
      if (position == 0) {
        best = value;
        best_x = own;
        continue;
      }
      // As max_pool2d.cpp has it.
      const auto wins = hn::And(hn::Not(hn::Le(value, best)), hn::Eq(best, best));
      best = hn::IfThenElse(wins, value, best);
      best_x = hn::IfThenElse(wins, own, best_x);
      place = hn::IfThenElse(hn::RebindMask(tag, wins), hn::Set(tag, position), place);
    }
  }
  channel.channels.store_at(best, y);
  channel.channels.store_at(best_x, at_winner);
  store_bytes(kWhole ? kLanes : channel.channels.count, place, winner);
}

template <bool kTwoByTwo>
HWY_INLINE void forward_rows(BatchNorm norm, const Pool2dShape& pool, const float* x, float* y,
                             std::uint8_t* winner, float* at_winner) {
  const WindowPlaces<kTwoByTwo> places(pool);
  const RectifierVectors rectifier(norm.rectifier);
  const std::int64_t P = pool.P(), Q = pool.Q(), C = norm.C, H = pool.H;
  for_each_grouped_row(norm.groups, [&](int group, std::int64_t row) HWY_ATTR {
    std::int64_t to = row * P * Q * C;
    for (std::int64_t p = 0; p < P; ++p) {
      const float* from = x + (row * H + p * places.rows) * places.row;
      for (std::int64_t q = 0; q < Q; ++q, from += places.columns * C, to += C) {
        std::int64_t c = 0;
        for (; c + kLanes <= C; c += kLanes) {
          norm_pool_window<kTwoByTwo>(ChannelNorm<true>(norm, rectifier, group, c, kLanes), places,
                                      from + c, y + to + c, winner + to + c, at_winner + to + c);
        }
        if (c < C) {
          norm_pool_window<kTwoByTwo>(ChannelNorm<false>(norm, rectifier, group, c, C - c), places,
                                      from + c, y + to + c, winner + to + c, at_winner + to + c);
        }
      }
    }
  });
}

void batch_norm_pool_forward_simd(const BatchNorm& norm, const Pool2dShape& pool, const float* x,
                                  float* y, std::uint8_t* winner, float* at_winner) {
  if (pool.window_h == 2 && pool.window_w == 2) {
    forward_rows<true>(norm, pool, x, y, winner, at_winner);
  } else {
    forward_rows<false>(norm, pool, x, y, winner, at_winner);
  }
}

// What the way back needs of the channels from c on.
template <bool kWhole>
struct BackwardChannels {
  HWY_INLINE BackwardChannels(const BatchNorm& norm, const RectifierVectors& rectifier, int group,
                              std::int64_t c, float share, const float* sums)
      : channel(norm, rectifier, group, c, norm.C - c),
        backward(channel, share, sums, norm.C, group, c) {}

  // The gradient of the element at x, where `arriving` is behind the rectifier's output.
  HWY_INLINE void step(const float* x, Floats arriving, float* dx) const {
    const Floats xhat = channel.normalised(channel.channels.load_at(x));
    channel.channels.store_at(backward.dx(xhat, channel.gradient(xhat, arriving)), dx);
  }

  template <bool kTwoByTwo>
  HWY_INLINE void window(const WindowPlaces<kTwoByTwo>& places, const float* x, const float* dy,
                         const std::uint8_t* winner, float* dx) const {
    const Floats arriving = channel.channels.load_at(dy);
    const Ints place = load_bytes(kWhole ? kLanes : channel.channels.count, winner);
    std::int32_t position = 0;
    for (std::int64_t r = 0; r < places.rows; ++r) {
      for (std::int64_t s = 0; s < places.columns; ++s, ++position) {
        const auto won = hn::RebindMask(FloatTag(), hn::Eq(place, hn::Set(IntTag(), position)));
        const std::int64_t at = r * places.row + s * places.column;
        step(x + at, hn::IfThenElseZero(won, arriving), dx + at);
      }
    }
  }

  ChannelNorm<kWhole> channel;
  ChannelNormBackward<kWhole> backward;
};

// Pixels that no window has.
HWY_INLINE void leave_out(const BatchNorm& norm, const RectifierVectors& rectifier, int group,
                          float share, const float* sums, std::int64_t pixels, const float* x,
                          float* dx) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel, x += norm.C, dx += norm.C) {
    std::int64_t c = 0;
    for (; c + kLanes <= norm.C; c += kLanes) {
      BackwardChannels<true>(norm, rectifier, group, c, share, sums).step(x + c, zeros(), dx + c);
    }
    if (c < norm.C) {
      BackwardChannels<false>(norm, rectifier, group, c, share, sums).step(x + c, zeros(), dx + c);
    }
  }
}

template <bool kTwoByTwo>
HWY_INLINE void backward_rows(BatchNorm norm, const BatchNormCounts& counts,
                              const Pool2dShape& pool, const float* x, const float* dy,
                              const std::uint8_t* winner, const float* sums, float* dx) {
  const WindowPlaces<kTwoByTwo> places(pool);
  const RectifierVectors rectifier(norm.rectifier);
  const std::int64_t P = pool.P(), Q = pool.Q(), C = norm.C, H = pool.H, W = pool.W;
  for_each_grouped_row(norm.groups, [&](int group, std::int64_t row) HWY_ATTR {
    const float share = share_of(counts, group);
    std::int64_t from = row * P * Q * C;
    for (std::int64_t p = 0; p < P; ++p) {
      const std::int64_t first = (row * H + p * places.rows) * places.row;
      std::int64_t to = first;
      for (std::int64_t q = 0; q < Q; ++q, to += places.columns * C, from += C) {
        std::int64_t c = 0;
        for (; c + kLanes <= C; c += kLanes) {
          BackwardChannels<true>(norm, rectifier, group, c, share, sums)
              .window(places, x + to + c, dy + from + c, winner + from + c, dx + to + c);
        }
        if (c < C) {
          BackwardChannels<false>(norm, rectifier, group, c, share, sums)
              .window(places, x + to + c, dy + from + c, winner + from + c, dx + to + c);
        }
      }
      const std::int64_t covered = Q * places.columns;
      for (std::int64_t r = 0; r < places.rows && covered < W; ++r) {
        const std::int64_t rest = first + r * places.row + covered * C;
        leave_out(norm, rectifier, group, share, sums, W - covered, x + rest, dx + rest);
      }
    }
    const std::int64_t rest = (row * H + P * places.rows) * places.row;
    leave_out(norm, rectifier, group, share, sums, (H - P * places.rows) * W, x + rest, dx + rest);
  });
}

void batch_norm_pool_backward_simd(const BatchNorm& norm, const BatchNormCounts& counts,
                                   const Pool2dShape& pool, const float* x, const float* dy,
                                   const std::uint8_t* winner, const float* sums, float* dx) {
  if (pool.window_h == 2 && pool.window_w == 2) {
    backward_rows<true>(norm, counts, pool, x, dy, winner, sums, dx);
  } else {
    backward_rows<false>(norm, counts, pool, x, dy, winner, sums, dx);
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(batch_norm_pool_forward_simd);
HWY_EXPORT(batch_norm_pool_backward_simd);

void require_valid(const BatchNorm& norm, const Pool2dShape& pool) {
  require_valid(norm);
  require_valid(pool, "batch_norm_pool");
  GRADFLIP_REQUIRE(
      pool.N == norm.groups.rows() && pool.H * pool.W == norm.pixels && pool.C == norm.C,
      message("batch_norm_pool: ", pool.N, " pictures of ", pool.H, "x", pool.W, "x", pool.C, ", ",
              norm.groups.rows(), " rows of ", norm.pixels, "x", norm.C, " to normalise"));
  GRADFLIP_REQUIRE(pool.window_h == pool.stride_h && pool.window_w == pool.stride_w &&
                       pool.pad_h == 0 && pool.pad_w == 0 &&
                       pool.window_h * pool.window_w <= kMaxNormPoolPlaces,
                   message("batch_norm_pool: windows of ", pool.window_h, "x", pool.window_w,
                           ", stride ", pool.stride_h, "x", pool.stride_w, ", padding ", pool.pad_h,
                           "x", pool.pad_w, "; they must neither overlap nor be padded, and have ",
                           kMaxNormPoolPlaces, " places at most"));
}

void batch_norm_pool_forward(Cpu /*ctx*/, const BatchNorm& norm, const Pool2dShape& pool,
                             const float* x, float* y, std::uint8_t* winner, float* at_winner) {
  require_valid(norm, pool);
  HWY_DYNAMIC_DISPATCH(batch_norm_pool_forward_simd)(norm, pool, x, y, winner, at_winner);
}

void batch_norm_pool_backward(Cpu /*ctx*/, const BatchNorm& norm, const BatchNormCounts& counts,
                              const Pool2dShape& pool, const float* x, const float* dy,
                              const std::uint8_t* winner, const float* sums, float* dx) {
  require_valid(norm, pool);
  HWY_DYNAMIC_DISPATCH(batch_norm_pool_backward_simd)
  (norm, counts, pool, x, dy, winner, sums, dx);
}

}  // namespace gradflip
#endif  // HWY_ONCE
