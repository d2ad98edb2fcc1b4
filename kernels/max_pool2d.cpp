#include "kernels/max_pool2d.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/max_pool2d.cpp"
#include "kernels/cpu/pool_windows.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// The first `count` of kLanes places; the other lanes are zero.
HWY_INLINE Ints load_places(std::int64_t count, const std::int32_t* p) {
  const IntTag tag;
  if (count >= kLanes) return hn::LoadU(tag, p);
  alignas(64) std::int32_t lanes[kLanes] = {};
  std::memcpy(lanes, p, static_cast<std::size_t>(count) * sizeof *p);
  return hn::Load(tag, lanes);
}

HWY_INLINE void store_places(std::int64_t count, Ints v, std::int32_t* p) {
  const IntTag tag;
  if (count >= kLanes) return hn::StoreU(v, tag, p);
  alignas(64) std::int32_t lanes[kLanes];
  hn::Store(v, tag, lanes);
  std::memcpy(p, lanes, static_cast<std::size_t>(count) * sizeof *p);
}

// A window's channels, a vector at a time: the best so far and its place stay in registers. A NaN
// beats every number and keeps its place; an equal value leaves the first.
void max_pool2d_forward_simd(const Pool2dShape& shape, const float* x, float* y,
                             std::int32_t* winner) {
  const IntTag tag;
  for_each_window(shape, [&](const PoolWindow& window) HWY_ATTR {
    const auto first = static_cast<std::int32_t>(window.r_begin * shape.window_w + window.s_begin);
    for (std::int64_t c = 0; c < shape.C; c += kLanes) {
      const std::int64_t count = shape.C - c;
      Floats best = zeros();
      Ints place = hn::Set(tag, first);
      for_each_place(shape, window, [&](std::int32_t position, std::int64_t at) HWY_ATTR {
        const Floats value = load_channels(count, x + at + c);
        if (position == first) {
          best = value;
          return;
        }
        const auto wins = hn::And(hn::Not(hn::Le(value, best)), hn::Eq(best, best));
        best = hn::IfThenElse(wins, value, best);
        place = hn::IfThenElse(hn::RebindMask(tag, wins), hn::Set(tag, position), place);
      });
      store_channels(count, best, y + window.y + c);
      store_places(count, place, winner + window.y + c);
    }
  });
}

// Each place of a window takes dy where it won, and 0 elsewhere.
void max_pool2d_backward_simd(const Pool2dShape& shape, const float* dy, const std::int32_t* winner,
                              float* dx) {
  const IntTag tag;
  const FloatTag float_tag;
  for_each_window(shape, [&](const PoolWindow& window) HWY_ATTR {
    for (std::int64_t c = 0; c < shape.C; c += kLanes) {
      const std::int64_t count = shape.C - c;
      const Floats arriving = load_channels(count, dy + window.y + c);
      const Ints place = load_places(count, winner + window.y + c);
      for_each_place(shape, window, [&](std::int32_t position, std::int64_t at) HWY_ATTR {
        const auto won = hn::RebindMask(float_tag, hn::Eq(place, hn::Set(tag, position)));
        const Floats sum =
            hn::Add(load_channels(count, dx + at + c), hn::IfThenElseZero(won, arriving));
        store_channels(count, sum, dx + at + c);
      });
    }
  });
}

void max_pool2d_take_simd(const Pool2dShape& shape, const float* x, const std::int32_t* winner,
                          float* y) {
  for_each_window(shape, [&](const PoolWindow& window) HWY_ATTR {
    for (std::int64_t c = 0; c < shape.C; ++c) {
      const std::int64_t h = window.h + winner[window.y + c] / shape.window_w;
      const std::int64_t w = window.w + winner[window.y + c] % shape.window_w;
      y[window.y + c] = x[window.x + (h * shape.W + w) * shape.C + c];
    }
  });
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(max_pool2d_forward_simd);
HWY_EXPORT(max_pool2d_backward_simd);
HWY_EXPORT(max_pool2d_take_simd);

void max_pool2d_forward(Cpu /*ctx*/, const Pool2dShape& shape, const float* x, float* y,
                        std::int32_t* winner) {
  require_valid(shape, "max_pool2d");
  HWY_DYNAMIC_DISPATCH(max_pool2d_forward_simd)(shape, x, y, winner);
}

void max_pool2d_backward(Cpu /*ctx*/, const Pool2dShape& shape, const float* dy,
                         const std::int32_t* winner, float* dx) {
  require_valid(shape, "max_pool2d");
  std::fill_n(dx, shape.N * shape.H * shape.W * shape.C, 0.0F);
  HWY_DYNAMIC_DISPATCH(max_pool2d_backward_simd)(shape, dy, winner, dx);
}

void max_pool2d_take(Cpu /*ctx*/, const Pool2dShape& shape, const float* x,
                     const std::int32_t* winner, float* y) {
  require_valid(shape, "max_pool2d");
  HWY_DYNAMIC_DISPATCH(max_pool2d_take_simd)(shape, x, winner, y);
}

}  // namespace gradflip
#endif  // HWY_ONCE
