// y = x weight^T: x rows x (any shape of in_features elements), weight (out_features, in_features).
#pragma once

#include <span>

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

Value linear(Graph& graph, Value x, Value weight);

// dx of linear, from dy and the weight: dx = dy weight, as rows x x_shape. Autodiff appends it;
// fusion looks for it.
bool is_linear_backward_data(const Op& op);

}  // namespace gradflip::ops
