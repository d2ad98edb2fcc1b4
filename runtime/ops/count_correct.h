// How many rows a classifier gets right: an f32 scalar, a sum over the batch. No gradient passes.
#pragma once

#include "runtime/graph.h"

namespace gradflip::ops {

struct CountCorrectAttributes {};
struct CountCorrectBinaryAttributes {};

// logits: rows x (num_classes) f32; labels: rows x () i32.
Value count_correct(Graph& graph, Value logits, Value labels);
// logits: rows x (1) f32; labels: rows x () f32, 0 or 1.
Value count_correct_binary(Graph& graph, Value logits, Value labels);

}  // namespace gradflip::ops
