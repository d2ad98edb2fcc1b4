// Notes scalars of every step in a ring in the context's memory, which the host reads when it
// likes.
#pragma once

#include <span>

#include "runtime/graph.h"

namespace gradflip::ops {

struct RecordAttributes {};

// ring: external f32 (capacity, scalars.size()); step: the external counter. Row step % capacity
// becomes this step's scalars, at most kMaxRecordedScalars.
void record(Graph& graph, Value ring, Value step, std::span<const Value> scalars);

}  // namespace gradflip::ops
