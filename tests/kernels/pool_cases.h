// Pools of all kinds, for the tests of each.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/pool2d.h"

namespace gradflip {

inline constexpr Pool2dShape kPoolShapes[] = {
    {.N = 1, .H = 1, .W = 1, .C = 1, .window_h = 1, .window_w = 1, .stride_h = 1, .stride_w = 1},
    {.N = 0, .H = 4, .W = 4, .C = 3},
    {.N = 2, .H = 4, .W = 6, .C = 3},
    {.N = 3, .H = 7, .W = 5, .C = 17},
    {.N = 2, .H = 7, .W = 8, .C = 5, .window_h = 3, .window_w = 2, .stride_h = 1, .stride_w = 1},
    {.N = 2, .H = 9, .W = 7, .C = 4, .window_h = 3, .window_w = 3, .pad_h = 1, .pad_w = 2},
    {.N = 1,
     .H = 11,
     .W = 13,
     .C = 8,
     .window_h = 2,
     .window_w = 3,
     .stride_h = 3,
     .stride_w = 4,
     .pad_h = 1},
    {.N = 2,
     .H = 1,
     .W = 2,
     .C = 2,
     .window_h = 3,
     .window_w = 4,
     .stride_h = 1,
     .stride_w = 1,
     .pad_h = 1,
     .pad_w = 3},
    // All of a picture, in whole vectors of channels and a rest.
    {.N = 2, .H = 5, .W = 3, .C = 70, .window_h = 5, .window_w = 3, .stride_h = 5, .stride_w = 3},
    // A stride beyond 32 bits: one row of windows.
    {.N = 2, .H = 5, .W = 6, .C = 3, .stride_h = std::int64_t{1} << 33},
};

inline std::string name_of(const Pool2dShape& shape) {
  return testing::PrintToString(
      std::vector<std::int64_t>{shape.N, shape.H, shape.W, shape.C, shape.window_h, shape.window_w,
                                shape.stride_h, shape.stride_w, shape.pad_h, shape.pad_w});
}

inline std::int64_t input_size(const Pool2dShape& shape) {
  return shape.N * shape.H * shape.W * shape.C;
}

inline std::int64_t output_size(const Pool2dShape& shape) {
  return shape.N * shape.P() * shape.Q() * shape.C;
}

}  // namespace gradflip
