// What pools of pictures have in common: a window that moves over an NHWC picture,
//
//   h = p*stride_h - pad_h + r,  w = q*stride_w - pad_w + s,  0 <= r < window_h, 0 <= s < window_w
// and makes one number of a channel in each place (p, q). Padding is narrower than the window, so
// that every window has a part inside the picture.
#pragma once

#include <cstdint>
#include <string_view>

namespace gradflip {

struct Pool2dShape {
  std::int64_t N = 0, H = 0, W = 0, C = 0;
  std::int64_t window_h = 2, window_w = 2;
  std::int64_t stride_h = 2, stride_w = 2;
  std::int64_t pad_h = 0, pad_w = 0;

  std::int64_t P() const { return (H + 2 * pad_h - window_h) / stride_h + 1; }
  std::int64_t Q() const { return (W + 2 * pad_w - window_w) / stride_w + 1; }
};

// Throws std::invalid_argument, naming the pool, unless the sizes are positive (N may be 0), the
// window fits and has fewer than 2^31 positions, and pad < window.
void require_valid(const Pool2dShape& shape, std::string_view name);

}  // namespace gradflip
