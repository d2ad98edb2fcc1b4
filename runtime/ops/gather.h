// Pictures, rows and labels of data sets in the context's memory, picked by index and made ready
// for the network.
#pragma once

#include <span>

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct GatherNormalizeAttributes {};
struct GatherLabelsAttributes {};

struct ImageSource {
  Value images;   // u8 (count, H, W, 1 or C), without rows
  Value indices;  // i64 rows x (), one segment
};

// (images[indices] - mean) * scale, f32 rows x (H, W, C), the rows of all sources in ascending
// segments; C is the number of means and scales, which are one of each per channel. mean, scale:
// f32 (C), in units of a byte and of what is left.
Value gather_normalize(Graph& graph, std::span<const ImageSource> sources, Value mean, Value scale);

struct RowSource {
  Value data;     // f32 (count, ...), without rows
  Value indices;  // i64 rows x (), one segment
};

// data[indices], f32 rows x (...), the rows of all sources in ascending segments.
Value gather_rows(Graph& graph, std::span<const RowSource> sources);

// labels[indices], i32 rows x (). labels: i32 (count), without rows.
Value gather_labels(Graph& graph, Value labels, Value indices);

}  // namespace gradflip::ops
