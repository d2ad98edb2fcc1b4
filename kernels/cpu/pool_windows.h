// The windows of a pool, one by one, each without what of it lies in the padding, per SIMD target
// (see simd.h), so that what is done in them stays in registers.

#include "kernels/cpu/simd.h"  // before the guard: it switches targets

#if defined(GRADFLIP_KERNELS_CPU_POOL_WINDOWS_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADFLIP_KERNELS_CPU_POOL_WINDOWS_H
#undef GRADFLIP_KERNELS_CPU_POOL_WINDOWS_H
#else
#define GRADFLIP_KERNELS_CPU_POOL_WINDOWS_H
#endif

#include <algorithm>

#include "kernels/pool2d.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// The part of one window that lies inside the picture.
struct PoolWindow {
  std::int64_t r_begin, r_end, s_begin, s_end;
  std::int64_t h, w;  // of r = s = 0; may be negative
  std::int64_t x;     // offset of x[n,0,0,0]
  std::int64_t y;     // offset of y[n,p,q,0]

  std::int64_t places() const { return (r_end - r_begin) * (s_end - s_begin); }
};

// Calls visit(window), in the order of the output.
template <typename Visit>
HWY_INLINE void for_each_window(const Pool2dShape& shape, const Visit& visit) {
  const std::int64_t P = shape.P();
  const std::int64_t Q = shape.Q();
  for (std::int64_t n = 0; n < shape.N; ++n) {
    for (std::int64_t p = 0; p < P; ++p) {
      for (std::int64_t q = 0; q < Q; ++q) {
        const std::int64_t h = p * shape.stride_h - shape.pad_h;
        const std::int64_t w = q * shape.stride_w - shape.pad_w;
        visit(PoolWindow{.r_begin = std::max<std::int64_t>(0, -h),
                         .r_end = std::min(shape.window_h, shape.H - h),
                         .s_begin = std::max<std::int64_t>(0, -w),
                         .s_end = std::min(shape.window_w, shape.W - w),
                         .h = h,
                         .w = w,
                         .x = n * shape.H * shape.W * shape.C,
                         .y = ((n * P + p) * Q + q) * shape.C});
      }
    }
  }
}

// Calls visit(position, offset of x[n,h,w,0]) for each place of a window, row by row.
template <typename Visit>
HWY_INLINE void for_each_place(const Pool2dShape& shape, const PoolWindow& window,
                               const Visit& visit) {
  for (std::int64_t r = window.r_begin; r < window.r_end; ++r) {
    const std::int64_t row = window.x + (window.h + r) * shape.W * shape.C;
    for (std::int64_t s = window.s_begin; s < window.s_end; ++s) {
      visit(static_cast<std::int32_t>(r * shape.window_w + s), row + (window.w + s) * shape.C);
    }
  }
}

// `count` channels that are left, or a vector of them.
HWY_INLINE Floats load_channels(std::int64_t count, const float* p) {
  return count >= kLanes ? load(p) : load_first(count, p);
}

HWY_INLINE void store_channels(std::int64_t count, Floats v, float* p) {
  if (count >= kLanes) return store(v, p);
  store_first(count, v, p);
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
