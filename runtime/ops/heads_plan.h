// Shared by the three operations of ops/heads.h: forward (heads.cpp), and the gradients with
// respect to features and parameters (heads_gradients.cpp).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/heads.h"
#include "runtime/graph.h"
#include "runtime/op.h"
#include "runtime/ops/row_weights.h"

namespace gradflip::ops {

// What the three operations know of their heads. Inputs and outputs are named by index; of inputs,
// 0 is the features, hence says "none" elsewhere.
struct HeadPlan {
  Rows rows;
  RowWeights weights;
  std::array<std::int32_t, kMaxSegments> numbers{};
  std::size_t parameters = 0;  // the first layer's weight; its bias and the other layers follow
  std::size_t labels = 0, times = 0, reversal = 0;
  std::size_t hidden = 0, dlayers = 0;  // outputs: of the first layer
};

struct HeadsPlan {
  HeadsShape shape;  // without row counts
  Rows rows;         // of the features
  std::vector<HeadPlan> heads;
  std::size_t num_inputs = 0;
};

using SharedPlan = std::shared_ptr<const HeadsPlan>;

// The sizes for a launch; throws std::invalid_argument if it is not over whole segments.
HeadsShape shape_of(const HeadsPlan& plan, const Launch& launch);
// At most `rows` rows, however they fall to the heads.
HeadsShape shape_of(const HeadsPlan& plan, std::int64_t rows);

// What a pass through all layers costs, or, first_layers_only, through those on the features. rows:
// of each head. The weights of all heads are read or their gradients written.
OpCost layers_cost(const HeadsPlan& plan, std::span<const std::int64_t> rows,
                   bool first_layers_only, std::span<const TensorView> inputs,
                   std::span<const TensorView> outputs);

using HeadTensorsArray = std::array<HeadTensors, kMaxHeads>;

inline std::span<const HeadTensors> used(const HeadTensorsArray& tensors, const HeadsPlan& plan) {
  return std::span(tensors).first(plan.heads.size());
}

// A parameter: weight or bias of a layer.
struct HeadParameter {
  std::size_t head = 0, layer = 0;
  bool is_bias = false;
};

// dfeatures, of this shape. Inputs: for each head the gradient of its first layer and that layer's
// weight, then the reversals of those that have one.
std::shared_ptr<const Op> heads_backward_data_op(SharedPlan plan, const Shape& features);

// The gradients of `wanted` parameters, in this order. Inputs: the features, then for each head its
// hidden layers and its layers' gradients.
std::shared_ptr<const Op> heads_backward_weights_op(SharedPlan plan,
                                                    std::vector<HeadParameter> wanted);

}  // namespace gradflip::ops
