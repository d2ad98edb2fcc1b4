// Pictures of data sets picked by index and augmented as bytes, each row by numbers of its own on
// each step; and their way to floats. Two operations, not one, because the second is nearly free
// (0.2 us of a picture's 5) and bytes are what is looked at, and what two views have in common.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/augment.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct AugmentAttributes {
  std::uint64_t seed = 0;
  std::uint32_t view = 0;     // other views of the same rows have other numbers
  std::int64_t channels = 0;  // of what comes out; grey pictures are replicated
};
struct NormalizeAttributes {};

struct AugmentedSource {
  Value images;   // u8 (count, H, W, 1 or channels), without rows
  Value indices;  // i64 rows x (), one segment: its number is the stream of the draws
  AugmentProgram program;
};

// step: i64 scalar. -> u8 rows x (H, W, channels), the rows of all sources in ascending segments.
// One launch for each. What is learnt from it takes it as a constant.
Value augment(Graph& graph, Value step, std::span<const AugmentedSource> sources,
              const AugmentAttributes& attributes);

// (bytes - mean) * scale, f32 rows x (H, W, C): gather_normalize's numbers for its rows. bytes: u8
// rows x (H, W, C); mean, scale: f32 (C).
Value normalize(Graph& graph, Value bytes, Value mean, Value scale);

}  // namespace gradflip::ops
