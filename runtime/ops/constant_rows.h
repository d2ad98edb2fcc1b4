// A number for every row that depends only on the row's segment: domain labels.
#pragma once

#include <span>
#include <vector>

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct SegmentNumber {
  int segment = 0;
  std::int32_t number = 0;
};

// In ascending segments.
struct ConstantRowsAttributes {
  std::vector<SegmentNumber> numbers;
};

// Rows of the segments named, in ascending order, x (): f32 or i32.
Value constant_rows(Graph& graph, std::span<const SegmentNumber> numbers);
Value constant_labels(Graph& graph, std::span<const SegmentNumber> numbers);

}  // namespace gradflip::ops
