// Softmax cross-entropy: the sum over rows in one launch of one block, whatever N, and each row's
// own in as many blocks as there are rows for.
//
// Decomposition  rows go to groups of lanes (class_rows.cuh), a row in three sweeps: its maximum,
//                its sum of exponentials, its gradient (smoothing adds one for the loss). The first
//                brings it into the first-level cache for the others.
//                Sum: a row's loss stays in its threads' accumulators until all rows are done, and
//                one tree over the block adds them up. One block, because a loss is one sum in one
//                order: more blocks would need scratch memory and a second launch (or a ticket) to
//                combine theirs, and a launch costs more than the rest of the work at batches of a
//                few hundred rows and tens of classes. 1024 threads take 256 rows of ten classes at
//                once.
//                Rows: a group adds its own lanes' parts and is done.
// Numerics       a row's are in softmax_row.cuh; sums of losses in double.
// Cost           a row is read from beyond the first-level cache once and written once; two
//                exponentials per logit.
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/softmax_row.cuh"
#include "kernels/softmax_cross_entropy.h"

namespace gradflip {
namespace {

constexpr unsigned kThreads = 1024;
constexpr unsigned kRowsThreads = 128;

struct SoftmaxInputs {
  SoftmaxCrossEntropyShape shape;
  SoftmaxTargets targets;
  const float* logits;
  const std::int32_t* labels;
};

// This lane's part of row i's loss. Writes the row's gradient, times factor, unless dlogits is
// null. A group past the last row takes part all the same: its lanes are needed in the warp's
// reductions.
template <unsigned kLanes>
__device__ __forceinline__ double loss_of_row(const SoftmaxInputs& inputs, std::int64_t i,
                                              float factor, float* dlogits) {
  const std::int64_t num_classes = inputs.shape.num_classes;
  SoftmaxRow row = {};
  if (i < inputs.shape.N) {
    row = {inputs.logits + i * num_classes, num_classes, inputs.labels[i], {}, 0.0F};
  }
  row.largest = largest_logit<kLanes>(row.num_classes, row.logits);
  row.rest = sum_but_largest<kLanes>(row);
  const double loss = own_loss<kLanes>(row, inputs.targets);
  if (dlogits != nullptr) {
    write_gradient<kLanes>(row, inputs.targets, factor, dlogits + i * num_classes);
  }
  return loss;
}

template <unsigned kLanes>
__global__ void __launch_bounds__(kThreads)
    softmax_cross_entropy_kernel(SoftmaxInputs inputs, Scale scale, Write write, float* loss,
                                 float* dlogits) {
  constexpr std::int64_t kRows = kThreads / kLanes;
  const float factor = value_of(scale);
  double own = 0.0;
  for (std::int64_t first = 0; first < inputs.shape.N; first += kRows) {
    own += loss_of_row<kLanes>(inputs, first + threadIdx.x / kLanes, factor, dlogits);
  }
  const double sum_of_losses = block_reduce<kThreads>(own, Sum{});
  if (threadIdx.x != 0) return;
  const double before = write == Write::kAccumulate ? *loss : 0.0;
  *loss = static_cast<float>(before + sum_of_losses);
}

template <unsigned kLanes>
__global__ void __launch_bounds__(kRowsThreads)
    softmax_cross_entropy_rows_kernel(SoftmaxInputs inputs, float* losses, float* dlogits) {
  constexpr std::int64_t kRows = kRowsThreads / kLanes;
  const std::int64_t i = std::int64_t{blockIdx.x} * kRows + threadIdx.x / kLanes;
  const double own = loss_of_row<kLanes>(inputs, i, 1.0F, dlogits);
  const double loss = warp_reduce<kLanes>(own, Sum{});
  if (i < inputs.shape.N && threadIdx.x % kLanes == 0) losses[i] = static_cast<float>(loss);
}

}  // namespace

void softmax_cross_entropy(Cuda ctx, const SoftmaxCrossEntropyShape& shape, float label_smoothing,
                           Scale scale, const float* logits, const std::int32_t* labels,
                           Write write, float* loss, float* dlogits) {
  require_valid(shape, label_smoothing);
  if (shape.N == 0 && write == Write::kAccumulate) return;
  const SoftmaxInputs inputs{shape, softmax_targets(label_smoothing, shape.num_classes), logits,
                             labels};
  with_lanes_per_row(shape.num_classes, [&](auto lanes) {
    launch(softmax_cross_entropy_kernel<decltype(lanes)::value>, 1, kThreads, 0, ctx, inputs, scale,
           write, loss, dlogits);
  });
}

void softmax_cross_entropy_rows(Cuda ctx, const SoftmaxCrossEntropyShape& shape,
                                float label_smoothing, const float* logits,
                                const std::int32_t* labels, float* losses, float* dlogits) {
  require_valid(shape, label_smoothing);
  if (shape.N == 0) return;
  const SoftmaxInputs inputs{shape, softmax_targets(label_smoothing, shape.num_classes), logits,
                             labels};
  with_lanes_per_row(shape.num_classes, [&](auto lanes) {
    constexpr unsigned kLanes = decltype(lanes)::value;
    constexpr std::int64_t kRows = kRowsThreads / kLanes;
    const dim3 grid(static_cast<unsigned>((shape.N + kRows - 1) / kRows));
    launch(softmax_cross_entropy_rows_kernel<kLanes>, grid, kRowsThreads, 0, ctx, inputs, losses,
           dlogits);
  });
}

}  // namespace gradflip
