#include "kernels/max_pool2d.h"

#include <algorithm>
#include <limits>

#include "kernels/require.h"

namespace gradflip {
namespace {

void require_axis(const char* axis, std::int64_t size, std::int64_t window, std::int64_t stride,
                  std::int64_t pad) {
  GRADFLIP_REQUIRE(size > 0 && window > 0 && stride > 0,
                   message("max_pool2d: along the ", axis, " size is ", size, ", window ", window,
                           ", stride ", stride, "; all must be > 0"));
  // A window wholly inside the padding would have no maximum.
  GRADFLIP_REQUIRE(pad >= 0 && pad < window, message("max_pool2d: along the ", axis, " padding is ",
                                                     pad, ", must be in [0, ", window, ")"));
  GRADFLIP_REQUIRE(window <= size + 2 * pad,
                   message("max_pool2d: window is ", window, " along the ", axis,
                           ", the padded input has ", size + 2 * pad));
}

// The part of one window that lies inside the image.
struct Window {
  std::int64_t r_begin, r_end, s_begin, s_end;
  std::int64_t h, w;  // of r = s = 0; may be negative
};

// Calls visit(window, offset of x[n,0,0,0], offset of y[n,p,q,0]).
template <typename Visit>
void for_each_window(const Pool2dShape& shape, const Visit& visit) {
  const std::int64_t P = shape.P();
  const std::int64_t Q = shape.Q();
  for (std::int64_t n = 0; n < shape.N; ++n) {
    for (std::int64_t p = 0; p < P; ++p) {
      for (std::int64_t q = 0; q < Q; ++q) {
        const std::int64_t h = p * shape.stride_h - shape.pad_h;
        const std::int64_t w = q * shape.stride_w - shape.pad_w;
        visit(Window{.r_begin = std::max<std::int64_t>(0, -h),
                     .r_end = std::min(shape.window_h, shape.H - h),
                     .s_begin = std::max<std::int64_t>(0, -w),
                     .s_end = std::min(shape.window_w, shape.W - w),
                     .h = h,
                     .w = w},
              n * shape.H * shape.W * shape.C, ((n * P + p) * Q + q) * shape.C);
      }
    }
  }
}

// Lets x, at `position` of the window, compete for y, channel by channel. A NaN beats every number
// and keeps its place; an equal value leaves the first.
void compete(std::int64_t channels, std::int32_t position, const float* __restrict__ x,
             float* __restrict__ y, std::int32_t* __restrict__ winner) {
  for (std::int64_t c = 0; c < channels; ++c) {
    const float best = y[c];
    const float value = x[c];
    const bool wins = !(value <= best) && best == best;
    y[c] = wins ? value : best;
    winner[c] = wins ? position : winner[c];
  }
}

}  // namespace

void require_valid(const Pool2dShape& shape) {
  GRADFLIP_REQUIRE(shape.N >= 0 && shape.C > 0,
                   message("max_pool2d: N is ", shape.N, " (>= 0), C is ", shape.C, " (> 0)"));
  require_axis("height", shape.H, shape.window_h, shape.stride_h, shape.pad_h);
  require_axis("width", shape.W, shape.window_w, shape.stride_w, shape.pad_w);
  GRADFLIP_REQUIRE(shape.window_h <= std::numeric_limits<std::int32_t>::max() / shape.window_w,
                   message("max_pool2d: a window of ", shape.window_h, " x ", shape.window_w,
                           " has more positions than an int32 winner can name"));
}

void max_pool2d_forward(Cpu /*ctx*/, const Pool2dShape& shape, const float* x, float* y,
                        std::int32_t* winner) {
  require_valid(shape);
  const std::int64_t C = shape.C;
  for_each_window(shape, [&](const Window& window, std::int64_t image, std::int64_t out) {
    bool first = true;
    for (std::int64_t r = window.r_begin; r < window.r_end; ++r) {
      for (std::int64_t s = window.s_begin; s < window.s_end; ++s) {
        const auto position = static_cast<std::int32_t>(r * shape.window_w + s);
        const float* pixel = x + image + ((window.h + r) * shape.W + window.w + s) * C;
        if (first) {
          std::copy_n(pixel, C, y + out);
          std::fill_n(winner + out, C, position);
          first = false;
        } else {
          compete(C, position, pixel, y + out, winner + out);
        }
      }
    }
  });
}

void max_pool2d_backward(Cpu /*ctx*/, const Pool2dShape& shape, const float* dy,
                         const std::int32_t* winner, float* dx) {
  require_valid(shape);
  const std::int64_t C = shape.C;
  std::fill_n(dx, shape.N * shape.H * shape.W * C, 0.0F);
  for_each_window(shape, [&](const Window& window, std::int64_t image, std::int64_t out) {
    for (std::int64_t c = 0; c < C; ++c) {
      const std::int64_t h = window.h + winner[out + c] / shape.window_w;
      const std::int64_t w = window.w + winner[out + c] % shape.window_w;
      dx[image + (h * shape.W + w) * C + c] += dy[out + c];
    }
  });
}

}  // namespace gradflip
