// Rewrites of a graph into an equal one that costs less. Each is small and stands alone; the
// unfused graph stays the reference in their tests. What they leave as it is, and why, unfused.h
// tells.
#pragma once

#include <span>
#include <vector>

#include "runtime/graph.h"
#include "runtime/objective.h"

namespace gradflip {

struct Rewritten {
  Graph graph;
  std::vector<Value>
      values;  // by the old value's id: what it is now; none() where fusion absorbed it

  Value operator()(Value old) const {
    return old.none() ? Value{} : values[static_cast<std::size_t>(old.id)];
  }
};

// conv2d or linear + batch_norm by known moments -> the layer with other weights, and a bias, where
// nothing else reads the values between and all rows share the moments. For evaluations: there is
// no gradient. Run it first: what it leaves may become a conv_block.
Rewritten fold_batch_norms(const Graph& graph, std::span<const Value> keep);

// batch_norm + a rectifier -> batch_norm that rectifies, where nothing else reads the value between.
// Run it before autodiff: the gradient is one of both.
Rewritten fuse_batch_norms(const Graph& graph, std::span<const Value> keep);

// batch_norm, with the rectifier that it has taken in, + max_pool2d -> batch_norm_pool, where nothing
// else reads the value between or the winners, and the pool's windows neither overlap nor are
// padded. Run it behind fuse_batch_norms and before autodiff.
Rewritten fuse_batch_norm_pools(const Graph& graph, std::span<const Value> keep);

// conv2d + bias + relu + max_pool2d -> conv_block, where nothing else reads the values between and
// the pool's windows neither overlap nor are padded. Run it before autodiff: the fused operation
// has its own gradient. `keep`: values that are wanted outside of the graph.
Rewritten fuse_conv_blocks(const Graph& graph, std::span<const Value> keep);

// conv2d + bias + relu -> conv_layer, where nothing else reads the values between; either of the
// last two may be missing. Run it behind fuse_conv_blocks, which takes a pool in, too, and before
// autodiff: the fused operation has its own gradient.
Rewritten fuse_conv_layers(const Graph& graph, std::span<const Value> keep);

// Terms that are weighed sums of rows' losses -> weighed_loss, which has the weights in it and its
// gradient in the same pass: softmax_cross_entropy or bce_with_logits -> sum_rows -> [scale, add,
// subtract] -> a term. A plain sum_rows of the same losses comes from the same pass, if it is for
// show: it weighs no term, and no gradient goes through it. A term that is a sum becomes several.
// `terms` are those of the graph, and become those of the new one. A term stays as it is where
// other nodes read its loss or the rows' losses. Run it before autodiff and before whatever looks
// for losses.
Rewritten fuse_losses(const Graph& graph, std::span<const Value> keep, std::vector<Term>& terms);

// The small heads on one feature value -> heads: chains features -> [slice_rows] -> [grl] -> linear
// + bias + relu -> ... -> linear + bias -> weighed_loss, with the count_correct on the same logits
// and labels; constant labels become numbers. A chain stays as it is where another node reads a
// value of it, or its sizes or modes do not suit the kernels. Run it before autodiff, for contexts
// that keep batches whole: the fused operation has its own gradient.
Rewritten fuse_heads(const Graph& graph, std::span<const Value> keep);

// A sum of input gradients of linear layers, some of them reversed, some of them over some rows
// only -> linear_merge; and grl's forward, an identity, disappears. Run it after autodiff. No pass
// over memory is left of gradient reversal.
Rewritten fuse_linear_merges(const Graph& graph, std::span<const Value> keep);

// The following are for contexts that take batches whole (sharding.h), such as GPUs, where a launch
// costs more than most of what they leave out.

// The intake of a step, where samples become features: sample_indices, gather_normalize and the one
// conv_block that reads its pictures, gather_labels of the same rows, and every evaluate_schedule
// on the same step -> sampled_conv_block. Run it after fuse_conv_blocks and before autodiff. For
// inference the pictures are not needed as floats: they are kept only for a gradient that may
// follow.
enum class SampledPictures { kKeepForGradient, kDrop };
Rewritten fuse_sampled_input(const Graph& graph, std::span<const Value> keep,
                             SampledPictures pictures = SampledPictures::kKeepForGradient);

// check_finite, the step's only update where it is SGD of all weights without Nesterov's momentum,
// weights that do not decay or a gradient scale, advance_step and, where there is one, record ->
// training_update, if all gradients are written by ops that watch them. Run it last.
Rewritten fuse_training_update(const Graph& graph, std::span<const Value> keep);

}  // namespace gradflip
