// The CPU composes heads of its other kernels: what the CUDA kernels are compared with. CPU
// training runs the graph's layers one by one.
#include "kernels/heads.h"

#include <algorithm>
#include <array>

#include "kernels/bce_with_logits.h"
#include "kernels/bias.h"
#include "kernels/count_correct.h"
#include "kernels/gemm.h"
#include "kernels/relu.h"
#include "kernels/require.h"
#include "kernels/softmax_cross_entropy.h"

namespace gradflip {
namespace {

Misfit head_misfit(const HeadShape& head) {
  if (head.num_layers < 1 || head.num_layers > kMaxHeadLayers) {
    return message(head.num_layers, " layers; a head has 1 to ", kMaxHeadLayers);
  }
  for (int layer = 0; layer < head.num_layers; ++layer) {
    const bool is_last = layer + 1 == head.num_layers;
    const std::int64_t width = head.widths[layer], most = is_last ? kMaxHeadLogits : kMaxHeadWidth;
    if (width < 1 || width > most) {
      return message(width, is_last ? " logits" : " hidden units", "; a head's layer has 1 to ",
                     most);
    }
  }
  if (head.loss == HeadLoss::kBceWithLogits && head.num_logits() != 1) {
    return message(head.num_logits(), " logits; a head with a binary loss has one");
  }
  if (!(head.label_smoothing >= 0.0F && head.label_smoothing <= 1.0F)) {
    return message("label smoothing of ", head.label_smoothing, ", must be in [0, 1]");
  }
  return {};
}

// One linear layer, on top of its bias; the product alone first.
void forward_layer(Cpu ctx, const HeadsShape& shape, int index, int layer, const float* x,
                   const HeadTensors& head, float* y) {
  const HeadShape& sizes = shape.heads[index];
  const std::int64_t width = sizes.widths[layer];
  gemm(ctx,
       {.M = sizes.rows,
        .N = width,
        .K = shape.inputs(index, layer),
        .transpose_b = true,
        .math = shape.math},
       {}, x, head.weights[layer], Write::kOverwrite, y);
  bias_forward(ctx, sizes.rows, width, y, head.biases[layer], y);
}

// The head's labels in memory: its own, or the ranges' numbers, written to `workspace`.
template <typename Label>
const Label* labels_of(const HeadTensors& head, const Label* own, void* workspace) {
  if (own != nullptr) return own;
  auto* labels = static_cast<Label*>(workspace);
  Label* next = labels;
  for (int i = 0; i < head.num_ranges; ++i) {
    next = std::fill_n(next, head.ranges[i].rows, static_cast<Label>(head.ranges[i].label));
  }
  return labels;
}

// From the logits in `dlogits`, in place.
void softmax_loss(Cpu ctx, const HeadShape& sizes, const HeadTensors& head,
                  const std::int32_t* labels, float* dlogits) {
  const std::int64_t num_classes = sizes.num_logits();
  count_correct(ctx, sizes.rows, num_classes, dlogits, labels, Write::kOverwrite, head.correct);
  for (int i = 0; i < head.num_ranges; ++i) {
    const HeadRange& range = head.ranges[i];
    softmax_cross_entropy(ctx, {.N = range.rows, .num_classes = num_classes}, sizes.label_smoothing,
                          range.scale, dlogits, labels, Write::kAccumulate, head.loss, dlogits);
    dlogits += range.rows * num_classes;
    labels += range.rows;
  }
}

void binary_loss(Cpu ctx, const HeadShape& sizes, const HeadTensors& head, const float* labels,
                 float* dlogits) {
  count_correct_binary(ctx, sizes.rows, dlogits, labels, Write::kOverwrite, head.correct);
  for (int i = 0; i < head.num_ranges; ++i) {
    const HeadRange& range = head.ranges[i];
    bce_with_logits(ctx, range.rows, sizes.label_smoothing, range.scale, dlogits, labels,
                    Write::kAccumulate, head.loss, dlogits);
    dlogits += range.rows;
    labels += range.rows;
  }
}

void forward_head(Cpu ctx, const HeadsShape& shape, int index, const float* features,
                  const HeadTensors& head, void* workspace) {
  const HeadShape& sizes = shape.heads[index];
  const int last = sizes.num_layers - 1;
  const float* x = features + sizes.row_begin * shape.features;
  for (int layer = 0; layer < last; ++layer) {
    float* y = head.hidden[layer];
    forward_layer(ctx, shape, index, layer, x, head, y);
    relu_forward(ctx, sizes.rows * sizes.widths[layer], y, y);
    x = y;
  }
  forward_layer(ctx, shape, index, last, x, head, head.dlayers[last]);
  *head.loss = 0.0F;
  if (sizes.loss == HeadLoss::kSoftmaxCrossEntropy) {
    softmax_loss(ctx, sizes, head, labels_of(head, head.classes, workspace), head.dlayers[last]);
  } else {
    binary_loss(ctx, sizes, head, labels_of(head, head.targets, workspace), head.dlayers[last]);
  }
  for (int layer = last; layer > 0; --layer) {
    const std::int64_t width = sizes.widths[layer - 1];
    float* dx = head.dlayers[layer - 1];
    gemm(ctx, {.M = sizes.rows, .N = width, .K = sizes.widths[layer], .math = shape.math}, {},
         head.dlayers[layer], head.weights[layer], Write::kOverwrite, dx);
    relu_backward(ctx, sizes.rows * width, head.hidden[layer - 1], dx, dx);
  }
}

}  // namespace

Misfit heads_misfit(const HeadsShape& shape) {
  if (shape.features < 1) return message(shape.features, " features");
  if (shape.num_heads < 1 || shape.num_heads > kMaxHeads) {
    return message(shape.num_heads, " heads; one launch takes 1 to ", kMaxHeads);
  }
  for (int head = 0; head < shape.num_heads; ++head) {
    if (Misfit misfit = head_misfit(shape.heads[head])) return misfit;
  }
  return {};
}

void require_valid(const HeadsShape& shape) {
  const Misfit misfit = heads_misfit(shape);
  GRADFLIP_REQUIRE(!misfit, message("heads: ", *misfit));
  for (int head = 0; head < shape.num_heads; ++head) {
    const HeadShape& sizes = shape.heads[head];
    GRADFLIP_REQUIRE(
        sizes.rows >= 0 && sizes.row_begin >= 0 && sizes.row_begin + sizes.rows <= shape.rows,
        message("heads: rows ", sizes.row_begin, " to ", sizes.row_begin + sizes.rows, " of ",
                shape.rows));
  }
}

void require_heads(const HeadsShape& shape, std::span<const HeadTensors> heads) {
  require_valid(shape);
  GRADFLIP_REQUIRE(
      heads.size() == static_cast<std::size_t>(shape.num_heads),
      message("heads: tensors of ", heads.size(), " heads, must be ", shape.num_heads));
  for (int head = 0; head < shape.num_heads; ++head) {
    const HeadTensors& tensors = heads[static_cast<std::size_t>(head)];
    GRADFLIP_REQUIRE(tensors.num_ranges >= 0 && tensors.num_ranges <= kMaxHeadRanges,
                     message("heads: ", tensors.num_ranges, " ranges"));
    std::int64_t rows = 0;
    for (int i = 0; i < tensors.num_ranges; ++i) rows += tensors.ranges[i].rows;
    GRADFLIP_REQUIRE(rows == shape.heads[head].rows,
                     message("heads: ranges of ", rows, " rows, must be ", shape.heads[head].rows));
  }
}

std::array<GemmTerm, kMaxHeads> heads_input_terms(const HeadsShape& shape,
                                                  std::span<const HeadTensors> heads) {
  require_valid(shape);
  std::array<GemmTerm, kMaxHeads> terms;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const HeadShape& sizes = shape.heads[i];
    terms[i] = {.a = heads[i].dlayers[0],
                .b = heads[i].weights[0],
                .row_begin = sizes.row_begin,
                .M = sizes.rows,
                .K = sizes.widths[0],
                .scale = heads[i].input_scale};
  }
  return terms;
}

// A label for each row of one head at a time.
std::int64_t heads_forward_workspace_bytes(Cpu /*ctx*/, const HeadsShape& shape) {
  static_assert(sizeof(float) == sizeof(std::int32_t));
  return shape.rows * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t heads_backward_weights_workspace_bytes(Cpu /*ctx*/, const HeadsShape& /*shape*/) {
  return 0;
}

void heads_forward(Cpu ctx, const HeadsShape& shape, const float* features,
                   std::span<const HeadTensors> heads, void* workspace,
                   const GradientWatch& /*watch*/) {
  require_heads(shape, heads);
  for (int head = 0; head < shape.num_heads; ++head) {
    forward_head(ctx, shape, head, features, heads[static_cast<std::size_t>(head)], workspace);
  }
}

void heads_backward_data(Cpu ctx, const HeadsShape& shape, std::span<const HeadTensors> heads,
                         float* dfeatures) {
  const auto terms = heads_input_terms(shape, heads);
  gemm_terms(ctx, shape.rows, shape.features, std::span(terms.data(), heads.size()), shape.math,
             dfeatures);
}

void heads_backward_weights(Cpu ctx, const HeadsShape& shape, const float* features,
                            std::span<const HeadTensors> heads, void* /*workspace*/,
                            const GradientWatch& watch) {
  require_valid(shape);
  for (int index = 0; index < shape.num_heads; ++index) {
    const HeadShape& sizes = shape.heads[index];
    const HeadTensors& head = heads[static_cast<std::size_t>(index)];
    for (int layer = 0; layer < sizes.num_layers; ++layer) {
      const float* x =
          layer == 0 ? features + sizes.row_begin * shape.features : head.hidden[layer - 1];
      const std::int64_t width = sizes.widths[layer], inputs = shape.inputs(index, layer);
      if (float* dweight = head.dweights[layer]; dweight != nullptr) {
        gemm(ctx,
             {.M = width, .N = inputs, .K = sizes.rows, .transpose_a = true, .math = shape.math},
             {}, head.dlayers[layer], x, Write::kOverwrite, dweight);
        watch_gradients(watch, width * inputs, dweight);
      }
      if (float* dbias = head.dbiases[layer]; dbias != nullptr) {
        bias_backward(ctx, sizes.rows, width, head.dlayers[layer], Write::kOverwrite, dbias);
        watch_gradients(watch, width, dbias);
      }
    }
  }
}

}  // namespace gradflip
