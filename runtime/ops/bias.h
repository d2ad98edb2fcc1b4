// y = x + bias along the last axis: x rows x (..., C), bias (C).
#pragma once

#include "runtime/graph.h"

namespace gradflip::ops {

struct BiasAttributes {};

Value bias(Graph& graph, Value x, Value bias);

// dbias, a sum over the batch, from dy; for gradient rules.
Value bias_backward(Graph& graph, Value dy);

}  // namespace gradflip::ops
