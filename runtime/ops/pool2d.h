// The windows of a pool, as an operation on rows of pictures is made with them.
#pragma once

#include <cstdint>

#include "kernels/pool2d.h"
#include "runtime/shape.h"

namespace gradflip::ops {

struct Pool2dGeometry {
  std::int64_t window_h = 2, window_w = 2;
  std::int64_t stride_h = 2, stride_w = 2;
  std::int64_t pad_h = 0, pad_w = 0;
};

// x: (H, W, C) of a row.
inline Pool2dShape pool_shape(const Pool2dGeometry& geometry, std::int64_t N, const Shape& x) {
  return {.N = N,
          .H = x[0],
          .W = x[1],
          .C = x[2],
          .window_h = geometry.window_h,
          .window_w = geometry.window_w,
          .stride_h = geometry.stride_h,
          .stride_w = geometry.stride_w,
          .pad_h = geometry.pad_h,
          .pad_w = geometry.pad_w};
}

}  // namespace gradflip::ops
