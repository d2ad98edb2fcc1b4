// y = a * b, elementwise; a and b have the same type.
#pragma once

#include "runtime/graph.h"

namespace gradflip::ops {

Value multiply(Graph& graph, Value a, Value b);

}  // namespace gradflip::ops
