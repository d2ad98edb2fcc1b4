// What the last block of a tile of rows does in heads_forward: from the outputs of the first layer
// through the other layers to the loss, and back to the gradient of the first layer.
#pragma once

#include <cstdint>

#include "kernels/cuda/bce_row.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/softmax_row.cuh"
#include "kernels/heads.h"
#include "kernels/heads/small_layer.cuh"

namespace gradflip {

static_assert(kMaxHeadWidth <= kSmallWidth && kMaxHeadLogits <= kSmallWidth);

// Of some rows: their losses, and how many are right.
struct HeadSums {
  double loss = 0.0;
  std::int64_t correct = 0;
};

// Sixteen rows of a head on their way, the first of them `row`, in a block of kThreads threads; the
// parts of their first layer's sums as FirstLayer finds them: float sum(row, output) const.
template <int kThreads>
class HeadTail {
 public:
  static constexpr int kSharedFloats = 2 * kSmallFloats;

  __device__ __forceinline__ HeadTail(const HeadShape& shape, const HeadTensors& head,
                                      const SoftmaxTargets& targets, std::int64_t row,
                                      float* shared)
      : shape_(shape),
        head_(head),
        targets_(targets),
        row_(row),
        now_(shared),
        next_(shared + kSmallFloats) {}

  // The whole block. Adds the calling thread's part of the rows' sums.
  template <typename FirstLayer>
  __device__ __forceinline__ void run(const FirstLayer& first, HeadSums& sums) {
    const int last = shape_.num_layers - 1;
    finish_first_layer(first, last == 0);
    __syncthreads();
    for (int layer = 1; layer <= last; ++layer) {
      forward_layer(layer, layer == last);
      turn();
    }
    if (shape_.loss == HeadLoss::kSoftmaxCrossEntropy) {
      softmax_loss(sums);
    } else {
      binary_loss(sums);
    }
    __syncthreads();
    write_dlogits();
    for (int layer = last; layer > 0; --layer) {
      backward_layer(layer);
      turn();
    }
    __syncthreads();  // the next rows may be loaded
  }

 private:
  static constexpr unsigned kLanes = kThreads / kSmallRows;  // of a row, in the loss
  static_assert(kLanes >= 1 && kLanes <= kWarpSize && kThreads % kSmallRows == 0);

  __device__ __forceinline__ bool exists(int r) const { return row_ + r < shape_.rows; }

  __device__ __forceinline__ void turn() {
    __syncthreads();
    float* read = now_;
    now_ = next_;
    next_ = read;
  }

  // What becomes of a sum of a layer: with its bias and ReLU, for the next layer and for backward.
  __device__ __forceinline__ void store_output(int layer, bool is_last, int r, int o, float sum,
                                               float* to) const {
    const std::int64_t width = shape_.widths[layer];
    float y = sum + head_.biases[layer][o];
    if (!is_last && y <= 0.0F) y = 0.0F;
    to[r * kSmallPitch + o] = y;
    if (!is_last && exists(r)) head_.hidden[layer][(row_ + r) * width + o] = y;
  }

  // Rows that do not exist are zeros, so that whatever is computed of them is a number.
  template <typename FirstLayer>
  __device__ __forceinline__ void finish_first_layer(const FirstLayer& first, bool is_last) {
    const int width = static_cast<int>(shape_.widths[0]);
#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.x); i < kSmallRows * width; i += kThreads) {
      const int r = i / width, o = i % width;
      store_output(0, is_last, r, o, exists(r) ? first.sum(row_ + r, o) : 0.0F, now_);
    }
  }

  __device__ __forceinline__ void forward_layer(int layer, bool is_last) {
    const auto store = [&](int r, int o, float sum) {
      store_output(layer, is_last, r, o, sum, next_);
    };
    multiply_rows<kThreads>(now_, static_cast<int>(shape_.widths[layer - 1]), head_.weights[layer],
                            static_cast<int>(shape_.widths[layer]), store);
  }

  __device__ __forceinline__ const HeadRange& range_of(int r) const {
    std::int64_t end = 0;
    int range = -1;
    do {
      end += head_.ranges[++range].rows;
    } while (row_ + r >= end);
    return head_.ranges[range];
  }

  // In place: dlogits replace logits.
  __device__ __forceinline__ void softmax_loss(HeadSums& sums) {
    const int r = static_cast<int>(threadIdx.x / kLanes);
    float* logits = now_ + r * kSmallPitch;
    SoftmaxRow row = {};  // without classes, for the warp's reductions
    float factor = 0.0F;
    if (exists(r)) {
      const HeadRange& range = range_of(r);
      const std::int32_t label = head_.classes == nullptr ? range.label : head_.classes[row_ + r];
      row = {logits, shape_.widths[shape_.num_layers - 1], label, {}, 0.0F};
      factor = value_of(range.scale);
    }
    row.largest = largest_logit<kLanes>(row.num_classes, row.logits);
    row.rest = sum_but_largest<kLanes>(row);
    sums.loss += own_loss<kLanes>(row, targets_);
    const bool is_number = row.largest.logit == row.largest.logit;
    if (exists(r) && threadIdx.x % kLanes == 0 && is_number && row.largest.j == row.label) {
      ++sums.correct;
    }
    write_gradient<kLanes>(row, targets_, factor, logits);
  }

  __device__ __forceinline__ void binary_loss(HeadSums& sums) {
    const int r = static_cast<int>(threadIdx.x);
    if (r >= kSmallRows || !exists(r)) return;
    const HeadRange& range = range_of(r);
    const float label =
        head_.targets == nullptr ? static_cast<float>(range.label) : head_.targets[row_ + r];
    const float z = now_[r * kSmallPitch];
    const BceRow row = bce_row(z, label, shape_.label_smoothing);
    sums.loss += row.plain;
    if ((label == 1.0F && z > 0.0F) || (label == 0.0F && z < 0.0F)) ++sums.correct;
    now_[r * kSmallPitch] = value_of(range.scale) * row.gradient;
  }

  __device__ __forceinline__ void write_dlogits() const {
    const int last = shape_.num_layers - 1;
    const int width = static_cast<int>(shape_.widths[last]);
    for (int i = static_cast<int>(threadIdx.x); i < kSmallRows * width; i += kThreads) {
      const int r = i / width;
      if (exists(r)) head_.dlayers[last][row_ * width + i] = now_[r * kSmallPitch + i % width];
    }
  }

  // From the gradient of a layer's output to that of the layer before.
  __device__ __forceinline__ void backward_layer(int layer) {
    const int width = static_cast<int>(shape_.widths[layer - 1]);
    const float* hidden = head_.hidden[layer - 1];
    float* dlayer = head_.dlayers[layer - 1];
    const auto store = [&](int r, int k, float sum) {
      const std::int64_t at = (row_ + r) * width + k;
      const float dx = !exists(r) || hidden[at] <= 0.0F ? 0.0F : sum;
      next_[r * kSmallPitch + k] = dx;
      if (exists(r)) dlayer[at] = dx;
    };
    multiply_rows_transposed<kThreads>(now_, static_cast<int>(shape_.widths[layer]),
                                       head_.weights[layer], width, store);
  }

  const HeadShape& shape_;
  const HeadTensors& head_;
  const SoftmaxTargets& targets_;
  std::int64_t row_;
  float* now_;
  float* next_;
};

}  // namespace gradflip
