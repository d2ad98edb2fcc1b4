// The input gradient of several linear layers on one value, in one launch: dx = sum of scale_i *
// dy_i weight_i, each term over its own rows. A gradient reversal on a branch is that term's scale.
// Made by fusion.
#pragma once

#include <cstddef>
#include <span>

#include "kernels/math_mode.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct LinearGradientTerm {
  Value dy;        // rows x (out_features), segments among those of the result
  Value weight;    // (out_features, in_features)
  Value reversal;  // none(): scale 1; an f32 scalar lambda: scale -lambda
};

struct LinearMergeAttributes {
  std::size_t terms = 0;
  Math math = Math::kF32;
  bool reverses = false;  // a term
};

// -> f32 `rows` x shape, shape of in_features elements. Rows that no term covers become zero.
Value linear_merge(Graph& graph, std::span<const LinearGradientTerm> terms, Rows rows,
                   const Shape& shape, Math math = Math::kF32);

}  // namespace gradflip::ops
