// All small heads of a network on one feature tensor: a head is a chain of linear layers over a
// range of the feature rows, with a ReLU after each but the last, and a loss. What a head sends
// back into the features is scaled, so gradient reversal is a head whose input_scale is -lambda.
//
//   h[0]        the head's rows of features
//   h[l + 1]    relu(z[l]),  z[l] = h[l] weights[l]^T + biases[l]
//   loss        sum over the rows of the loss of the last z, the logits
//   dlayers[l]  gradient of the weighted loss with respect to z[l]; its rows are weighed by ranges
//   dfeatures   sum over the heads, each on its rows, of input_scale * dlayers[0] weights[0]
//   dweights[l] = dlayers[l]^T h[l],  dbiases[l] = sum over the rows of dlayers[l]
//
// The losses are those of softmax_cross_entropy.h and bce_with_logits.h (sums in double, in an
// order that depends on the shape only; labels out of range), the counts those of count_correct.h,
// ReLU that of relu.h: NaNs pass as they do there. input_scale is in dfeatures alone.
//
// Everything is dense, row-major f32 and overwritten; nothing may alias. Row counts may be 0: the
// loss is then 0, and so are the gradients.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/context.h"
#include "kernels/gemm.h"
#include "kernels/math_mode.h"
#include "kernels/misfit.h"
#include "kernels/step_state.h"
#include "kernels/write.h"

namespace gradflip {

inline constexpr int kMaxHeads = 4;
inline constexpr int kMaxHeadLayers = 4;
inline constexpr int kMaxHeadRanges = 8;
inline constexpr std::int64_t kMaxHeadWidth = 256;  // of hidden layers
inline constexpr std::int64_t kMaxHeadLogits = 64;

enum class HeadLoss {
  kSoftmaxCrossEntropy,  // labels are classes
  kBceWithLogits,        // one logit, labels are numbers in [0, 1]
};

struct HeadShape {
  std::int64_t row_begin = 0, rows = 0;  // of the features
  int num_layers = 1;
  std::int64_t widths[kMaxHeadLayers] = {};  // outputs of each layer; the last ones are the logits
  HeadLoss loss = HeadLoss::kSoftmaxCrossEntropy;
  float label_smoothing = 0.0F;  // as the loss takes it: a binary one is shown without

  std::int64_t num_logits() const { return widths[num_layers - 1]; }
};

struct HeadsShape {
  std::int64_t rows = 0, features = 0;  // of the feature tensor
  int num_heads = 0;
  HeadShape heads[kMaxHeads];
  Math math = Math::kF32;  // of the products; those of layers after the first may be f32's

  // Inputs of a head's layer.
  std::int64_t inputs(int head, int layer) const {
    return layer == 0 ? features : heads[head].widths[layer - 1];
  }
};

// What the kernels do not take in such heads, if anything. Row counts do not matter.
Misfit heads_misfit(const HeadsShape& shape);

// Throws std::invalid_argument unless they fit and the heads' rows are rows of the features.
void require_valid(const HeadsShape& shape);

// Rows of a head, one range after the other, whose losses weigh the same.
struct HeadRange {
  std::int64_t rows = 0;
  Scale scale;             // of the rows' share in the gradient; the loss itself is not scaled
  std::int32_t label = 0;  // of all rows, where the head has no labels in memory
};

// A head's memory. Forward reads from weights to ranges and writes hidden to correct; backward
// reads what forward wrote.
struct HeadTensors {
  const float* weights[kMaxHeadLayers] = {};  // (widths[l], inputs(l))
  const float* biases[kMaxHeadLayers] = {};   // (widths[l])
  // The rows' labels: the one that the loss takes, or both null for the ranges' numbers.
  const std::int32_t* classes = nullptr;
  const float* targets = nullptr;
  int num_ranges = 0;
  HeadRange ranges[kMaxHeadRanges];        // they cover the head's rows
  float* hidden[kMaxHeadLayers - 1] = {};  // (rows, widths[l]): h[l + 1]
  float* dlayers[kMaxHeadLayers] = {};     // (rows, widths[l])
  float* loss = nullptr;                   // one float
  float* correct = nullptr;                // one float: rows that the head gets right
  Scale input_scale;                       // backward_data's
  float* dweights[kMaxHeadLayers] = {};    // backward_weights': as weights, null: not wanted
  float* dbiases[kMaxHeadLayers] = {};
};

// Scratch of heads_forward and heads_backward_weights: enough for any smaller rows, too.
std::int64_t heads_forward_workspace_bytes(Cpu ctx, const HeadsShape& shape);
std::int64_t heads_forward_workspace_bytes(Cuda ctx, const HeadsShape& shape);
std::int64_t heads_backward_weights_workspace_bytes(Cpu ctx, const HeadsShape& shape);
std::int64_t heads_backward_weights_workspace_bytes(Cuda ctx, const HeadsShape& shape);

// Losses, counts, and all that backward needs: hidden and dlayers. On CUDA one launch, which needs
// the tickets of watch.state; no gradient of a parameter is made here.
void heads_forward(Cpu ctx, const HeadsShape& shape, const float* features,
                   std::span<const HeadTensors> heads, void* workspace, const GradientWatch& watch);
void heads_forward(Cuda ctx, const HeadsShape& shape, const float* features,
                   std::span<const HeadTensors> heads, void* workspace, const GradientWatch& watch);

// dfeatures (rows, features); rows of no head become zero.
void heads_backward_data(Cpu ctx, const HeadsShape& shape, std::span<const HeadTensors> heads,
                         float* dfeatures);
void heads_backward_data(Cuda ctx, const HeadsShape& shape, std::span<const HeadTensors> heads,
                         float* dfeatures);

// The parameters' gradients that are wanted, each reported to `watch`, which on CUDA has a state:
// its tickets make one launch of it.
void heads_backward_weights(Cpu ctx, const HeadsShape& shape, const float* features,
                            std::span<const HeadTensors> heads, void* workspace,
                            const GradientWatch& watch);
void heads_backward_weights(Cuda ctx, const HeadsShape& shape, const float* features,
                            std::span<const HeadTensors> heads, void* workspace,
                            const GradientWatch& watch);

// What both backends share. The sum of products that dfeatures is: one term for each head.
std::array<GemmTerm, kMaxHeads> heads_input_terms(const HeadsShape& shape,
                                                  std::span<const HeadTensors> heads);
// Throws unless there is one HeadTensors per head and its ranges cover its rows.
void require_heads(const HeadsShape& shape, std::span<const HeadTensors> heads);

}  // namespace gradflip
