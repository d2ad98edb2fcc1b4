// The rows of several values one after another: source and target as one batch.
#pragma once

#include <span>

#include "runtime/graph.h"

namespace gradflip::ops {

// f32 values of one row shape, whose segments ascend from value to value. Its gradient is each
// input's slice.
Value concat_rows(Graph& graph, std::span<const Value> values);

}  // namespace gradflip::ops
