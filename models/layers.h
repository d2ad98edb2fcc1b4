// Layers: functions from value to value that declare their parameters. A parameter's name is
// <layer>.weight or <layer>.bias, as torch.nn's modules call theirs; initial values are, too, unless
// a layer is told others: uniform in +-1/sqrt(fan_in), weights and biases alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "models/network_builder.h"
#include "runtime/graph.h"
#include "runtime/parameters.h"

namespace gradflip {

// Initial values that are not torch.nn's.
struct InitialValues {
  std::optional<Initialiser> weight = {}, bias = {};
};

// x weight^T + bias: x rows x any shape (pictures are flattened), -> rows x (out_features). In
// memory the weight's columns follow x's own order (H, W, C for pictures); in files C, H, W.
struct LinearOptions {
  bool bias = true;  // batch normalisation has its own
  InitialValues initial = {};
};
Value linear(NetworkBuilder& network, const std::string& name, Value x, std::int64_t out_features,
             const LinearOptions& options = {});

struct Conv2dOptions {
  std::int64_t filters = 0;
  std::int64_t kernel = 3;    // width, and height where there is no other
  std::int64_t kernel_h = 0;  // > 0: 1 for signals, which are pictures of one row
  std::int64_t stride = 1;    // along both axes, of signals along theirs
  std::int64_t pad = 0;       // likewise
  bool bias = true;           // batch normalisation has its own
  InitialValues initial = {};
};

// conv2d(x) + bias: x rows x (H, W, C) -> rows x (P, Q, filters).
Value conv2d(NetworkBuilder& network, const std::string& name, Value x,
             const Conv2dOptions& options);

struct ConvBlockOptions {
  std::int64_t filters = 0;
  std::int64_t kernel = 5;  // square
  std::int64_t pad = 0;
  std::int64_t pool = 2;  // square, not overlapping
  InitialValues initial = {};
};

// max_pool2d(relu(conv2d(x) + bias)): x rows x (H, W, C) -> rows x (PP, PQ, filters).
Value conv_block(NetworkBuilder& network, const std::string& name, Value x,
                 const ConvBlockOptions& options);

// The maximum of each window of `window` x `window`, which lie `stride` apart (0: side by side).
struct MaxPoolOptions {
  std::int64_t window = 2, stride = 0, pad = 0;
  std::int64_t window_h = 0;  // > 0: 1 for signals
};
Value max_pool(NetworkBuilder& network, Value x, const MaxPoolOptions& options = {});

struct BatchNormOptions {
  double momentum = 0.1;  // of a batch in the running statistics
  double epsilon = 1e-5;
};

// x rows x (..., C), of each channel: (x - mean) / deviation * weight + bias. Whose mean and
// deviation is the pass's matter (pass.h). Beside <layer>.weight and <layer>.bias, at first 1 and
// 0, there are <layer>.running_mean and <layer>.running_var, which are not trained; of statistics
// per domain <layer>.source.running_mean, ...
Value batch_norm(NetworkBuilder& network, const std::string& name, Value x,
                 const BatchNormOptions& options = {});

// Drops values, or whole channels of rows x (..., C), in training; see runtime/ops/dropout.h.
Value dropout(NetworkBuilder& network, const std::string& name, Value x, double probability);
Value channel_dropout(NetworkBuilder& network, const std::string& name, Value x,
                      double probability);

}  // namespace gradflip
