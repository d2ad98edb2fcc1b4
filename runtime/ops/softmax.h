// Softmax of each row's logits, its logarithm, and what is made of them.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct SoftmaxAttributes {};
struct LogSoftmaxAttributes {};

// logits: f32 rows x (num_classes), or one row without rows -> the same type. Numbers as in
// kernels/softmax.h: stable for any finite logits. They may be differentiated as often as one likes.
Value softmax(Graph& graph, Value logits);
Value log_softmax(Graph& graph, Value logits);

// logits -> rows x (), -sum_j p_j log p_j of each row's p = softmax(logits), between 0 and
// log(num_classes). What is certain has 0, as p log p at p = 0 is 0 for finite logits.
Value entropy(Graph& graph, Value logits);

}  // namespace gradflip::ops
