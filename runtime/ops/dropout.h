// Dropout (kernels/dropout.h): values, or whole channels, of rows.
#pragma once

#include <cstdint>

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct DropoutAttributes {
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;  // each layer's own
  double probability = 0.5;  // of being dropped, in [0, 1)
  bool channels = false;     // all of a channel or nothing: x is rows x (..., C)
};

// x: f32 rows x (any shape). step: i64 scalar without rows, such as the step counter: every step
// has masks of its own, and so has every row of every segment.
Value dropout(Graph& graph, Value x, Value step, const DropoutAttributes& attributes);

}  // namespace gradflip::ops
