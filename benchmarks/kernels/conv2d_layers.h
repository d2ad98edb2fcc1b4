// The layers that a plain convolution is timed at: the network's, without their pools, and those of
// networks that have convolutions between their pools.
#pragma once

#include <string>
#include <vector>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/support/shapes.h"
#include "benchmarks/support/suite.h"

namespace gradflip::bench {

// "3x3_14x14x64_128_s2": filter, x, channels of y, stride.
inline ConvLayer conv2d_layer(std::int64_t taps, std::int64_t size, std::int64_t C, std::int64_t K,
                              std::int64_t stride = 1) {
  const auto square = [](std::int64_t side) {
    return std::to_string(side) + "x" + std::to_string(side);
  };
  ConvLayer layer;
  layer.name = square(taps) + "_" + square(size) + "x" + std::to_string(C) + "_" +
               std::to_string(K) + (stride == 1 ? "" : "_s" + std::to_string(stride));
  Conv2dShape& conv = layer.shape.conv;
  conv.H = conv.W = size;
  conv.C = C;
  conv.K = K;
  conv.R = conv.S = taps;
  conv.stride_h = conv.stride_w = stride;
  conv.pad_h = conv.pad_w = taps / 2;
  layer.shape.pool_h = layer.shape.pool_w = 1;
  return layer;
}

inline std::vector<ConvLayer> conv2d_layers(const Suite& suite) {
  std::vector<ConvLayer> layers = suite.shapes.conv_layers;
  for (const ConvLayer& layer :
       {conv2d_layer(3, 28, 3, 32), conv2d_layer(3, 28, 32, 32), conv2d_layer(3, 14, 32, 64),
        conv2d_layer(3, 14, 64, 64), conv2d_layer(3, 7, 64, 128), conv2d_layer(3, 7, 128, 128),
        conv2d_layer(1, 14, 64, 128), conv2d_layer(1, 7, 128, 128), conv2d_layer(5, 14, 32, 48),
        conv2d_layer(3, 14, 64, 128, 2)}) {
    layers.push_back(layer);
  }
  return layers;
}

// Layers between pools at the batches of small networks only: at thousands of images they take long
// and tell nothing new.
inline std::vector<std::int64_t> conv2d_batches(const Suite& suite, const ConvLayer& layer) {
  constexpr std::int64_t kMost = 128;
  std::vector<std::int64_t> batches = suite.batches;
  if (layer.shape.pool_h == 1) std::erase_if(batches, [](std::int64_t n) { return n > kMost; });
  return batches;
}

// One image of such a layer is as much work for the reference as several of the network's.
inline std::int64_t conv2d_check_batch(const ConvLayer& layer) {
  return layer.shape.pool_h == 1 ? 1 : kCheckBatch;
}

}  // namespace gradflip::bench
