// Softmax cross-entropy: one launch of one block, whatever N.
//
// Decomposition  rows go to groups of lanes (class_rows.cuh), a row in three sweeps: its maximum,
//                its sum of exponentials, its gradient (smoothing adds one for the loss). The first
//                brings it into the first-level cache for the others. A row's loss stays in its
//                threads' accumulators until all rows are done, and one tree over the block adds
//                them up.
//                One block, because a loss is one sum in one order: more blocks would need scratch
//                memory and a second launch (or a ticket) to combine theirs, and a launch costs
//                more than the rest of the work at batches of a few hundred rows and tens of
//                classes. 1024 threads take 256 rows of ten classes at once.
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

template <unsigned kLanes>
__global__ void __launch_bounds__(kThreads)
    softmax_cross_entropy_kernel(SoftmaxCrossEntropyShape shape, SoftmaxTargets targets,
                                 Scale scale, const float* logits, const std::int32_t* labels,
                                 Write write, float* loss, float* dlogits) {
  constexpr std::int64_t kRows = kThreads / kLanes;
  const float factor = value_of(scale);
  double own = 0.0;
  for (std::int64_t first = 0; first < shape.N; first += kRows) {
    // Groups past the last row stay: their lanes are needed in the warp's reductions.
    const std::int64_t i = first + threadIdx.x / kLanes;
    SoftmaxRow row = {};
    if (i < shape.N) row = {logits + i * shape.num_classes, shape.num_classes, labels[i], {}, 0.0F};
    row.largest = largest_logit<kLanes>(row.num_classes, row.logits);
    row.rest = sum_but_largest<kLanes>(row);
    own += own_loss<kLanes>(row, targets);
    if (dlogits == nullptr) continue;
    write_gradient<kLanes>(row, targets, factor, dlogits + i * shape.num_classes);
  }
  const double sum_of_losses = block_reduce<kThreads>(own, Sum{});
  if (threadIdx.x != 0) return;
  const double before = write == Write::kAccumulate ? *loss : 0.0;
  *loss = static_cast<float>(before + sum_of_losses);
}

}  // namespace

void softmax_cross_entropy(Cuda ctx, const SoftmaxCrossEntropyShape& shape, float label_smoothing,
                           Scale scale, const float* logits, const std::int32_t* labels,
                           Write write, float* loss, float* dlogits) {
  require_valid(shape, label_smoothing);
  if (shape.N == 0 && write == Write::kAccumulate) return;
  const SoftmaxTargets targets = softmax_targets(label_smoothing, shape.num_classes);
  with_lanes_per_row(shape.num_classes, [&](auto lanes) {
    launch(softmax_cross_entropy_kernel<decltype(lanes)::value>, 1, kThreads, 0, ctx, shape,
           targets, scale, logits, labels, write, loss, dlogits);
  });
}

}  // namespace gradflip
