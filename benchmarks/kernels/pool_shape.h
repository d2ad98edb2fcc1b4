// The pool behind a convolution, as an operation of its own.
#pragma once

#include <cstdint>

#include "benchmarks/support/shapes.h"
#include "kernels/pool2d.h"

namespace gradflip::bench {

// Of `batch` pictures as the layer's conv2d leaves them.
inline Pool2dShape pool_behind(const ConvLayer& layer, std::int64_t batch) {
  const ConvBlockShape& block = layer.shape;
  return {.N = batch,
          .H = block.conv.P(),
          .W = block.conv.Q(),
          .C = block.conv.K,
          .window_h = block.pool_h,
          .window_w = block.pool_w,
          .stride_h = block.pool_h,
          .stride_w = block.pool_w};
}

}  // namespace gradflip::bench
