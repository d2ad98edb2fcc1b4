// The identity, through which no gradient passes.
#pragma once

#include "runtime/graph.h"

namespace gradflip::ops {

Value stop_gradient(Graph& graph, Value x);

}  // namespace gradflip::ops
