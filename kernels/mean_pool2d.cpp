#include "kernels/mean_pool2d.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/mean_pool2d.cpp"
#include "kernels/cpu/pool_windows.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

HWY_INLINE Floats share_of(const PoolWindow& window) {
  return broadcast(1.0F / static_cast<float>(window.places()));
}

// The sums of four vectors of channels at a time: a global pool reads a picture once, whole lines
// of it.
constexpr std::int64_t kWide = 4;

void mean_pool2d_forward_simd(const Pool2dShape& shape, const float* x, float* y) {
  for_each_window(shape, [&](const PoolWindow& window) HWY_ATTR {
    const Floats share = share_of(window);
    std::int64_t c = 0;
    for (; c + kWide * kLanes <= shape.C; c += kWide * kLanes) {
      Floats sums[kWide] = {zeros(), zeros(), zeros(), zeros()};
      for_each_place(shape, window, [&](std::int32_t /*position*/, std::int64_t at) HWY_ATTR {
        GRADFLIP_UNROLL
        for (std::int64_t v = 0; v < kWide; ++v) {
          sums[v] = hn::Add(sums[v], load(x + at + c + v * kLanes));
        }
      });
      GRADFLIP_UNROLL
      for (std::int64_t v = 0; v < kWide; ++v) {
        store(hn::Mul(sums[v], share), y + window.y + c + v * kLanes);
      }
    }
    for (; c < shape.C; c += kLanes) {
      const std::int64_t count = shape.C - c;
      Floats sum = zeros();
      for_each_place(shape, window, [&](std::int32_t /*position*/, std::int64_t at) HWY_ATTR {
        sum = hn::Add(sum, load_channels(count, x + at + c));
      });
      store_channels(count, hn::Mul(sum, share), y + window.y + c);
    }
  });
}

void mean_pool2d_backward_simd(const Pool2dShape& shape, const float* dy, float* dx) {
  for_each_window(shape, [&](const PoolWindow& window) HWY_ATTR {
    const Floats share = share_of(window);
    for_each_place(shape, window, [&](std::int32_t /*position*/, std::int64_t at) HWY_ATTR {
      for (std::int64_t c = 0; c < shape.C; c += kLanes) {
        const std::int64_t count = shape.C - c;
        const Floats sum = hn::MulAdd(load_channels(count, dy + window.y + c), share,
                                      load_channels(count, dx + at + c));
        store_channels(count, sum, dx + at + c);
      }
    });
  });
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(mean_pool2d_forward_simd);
HWY_EXPORT(mean_pool2d_backward_simd);

void mean_pool2d_forward(Cpu /*ctx*/, const Pool2dShape& shape, const float* x, float* y) {
  require_valid(shape, "mean_pool2d");
  HWY_DYNAMIC_DISPATCH(mean_pool2d_forward_simd)(shape, x, y);
}

void mean_pool2d_backward(Cpu /*ctx*/, const Pool2dShape& shape, const float* dy, float* dx) {
  require_valid(shape, "mean_pool2d");
  std::fill_n(dx, shape.N * shape.H * shape.W * shape.C, 0.0F);
  HWY_DYNAMIC_DISPATCH(mean_pool2d_backward_simd)(shape, dy, dx);
}

}  // namespace gradflip
#endif  // HWY_ONCE
