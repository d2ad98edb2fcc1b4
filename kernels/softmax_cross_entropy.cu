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
// Numerics       exponentials in f32, as double units are few on most GPUs. No digits cancel: with
//                m the row's maximum, in class a, and rest = sum over j != a of exp(x_j - m), the
//                row's loss is log1p(rest) + sum_j t_j (m - x_j), all terms >= 0, and the gradient
//                of a nearly certain row, p_a - 1, is -rest / (1 + rest). The gaps m - x_j of the
//                loss, which may pass f32's range, and the sums of losses are in double.
// Cost           a row is read from beyond the first-level cache once and written once; two
//                exponentials per logit.
#include <limits>

#include "kernels/cuda/class_rows.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/softmax_cross_entropy.h"

namespace gradflip {
namespace {

constexpr unsigned kThreads = 1024;

// The t_j of a row: `elsewhere`, and by `surplus` more at the label.
struct Targets {
  double elsewhere;
  double surplus;
  float at_label_f32, elsewhere_f32, one_minus_at_label_f32;  // each rounded once
};

Targets targets_of(float label_smoothing, std::int64_t num_classes) {
  const double surplus = 1.0 - static_cast<double>(label_smoothing);
  const double elsewhere = static_cast<double>(label_smoothing) / static_cast<double>(num_classes);
  return {elsewhere, surplus, static_cast<float>(elsewhere + surplus),
          static_cast<float>(elsewhere), static_cast<float>(label_smoothing - elsewhere)};
}

// A row as every lane of its group knows it. A group without one has num_classes = 0.
struct Row {
  const float* logits;
  std::int64_t num_classes;
  std::int64_t label;
  Candidate largest;
  float rest;  // sum of exp(x_j - m) over all classes but that of the maximum m

  __device__ __forceinline__ bool has_label() const { return label >= 0 && label < num_classes; }
};

template <unsigned kLanes>
__device__ __forceinline__ float sum_but_largest(const Row& row) {
  float rest = 0.0F;
  for (std::int64_t j = threadIdx.x % kLanes; j < row.num_classes; j += kLanes) {
    if (j != row.largest.j) rest += expf(row.logits[j] - row.largest.logit);
  }
  rest = warp_reduce<kLanes>(rest, Sum{});
  // A row without finite logits or with a label of no class has no loss and no gradient: NaN.
  if (!row.has_label()) return std::numeric_limits<float>::quiet_NaN();
  return rest + (row.largest.logit - row.largest.logit);
}

// This lane's part of the row's loss. A lane reads no logit but those whose gradient it writes, so
// that it need not wait for others when dlogits is logits.
template <unsigned kLanes>
__device__ __forceinline__ double own_loss(const Row& row, const Targets& targets) {
  const std::int64_t lane = threadIdx.x % kLanes;
  const double largest = row.largest.logit;
  double loss = 0.0;
  if (row.num_classes > 0 && lane == 0) loss = log1pf(row.rest);
  if (row.has_label() && row.label % kLanes == lane) {
    loss += targets.surplus * (largest - row.logits[row.label]);
  }
  if (targets.elsewhere != 0.0) {
    for (std::int64_t j = lane; j < row.num_classes; j += kLanes) {
      loss += targets.elsewhere * (largest - row.logits[j]);
    }
  }
  return loss;
}

template <unsigned kLanes>
__device__ __forceinline__ void write_gradient(const Row& row, const Targets& targets, float factor,
                                               float* dlogits) {
  const float inverse = 1.0F / (1.0F + row.rest);
  for (std::int64_t j = threadIdx.x % kLanes; j < row.num_classes; j += kLanes) {
    const bool is_largest = j == row.largest.j;
    const float prob = inverse * (is_largest ? 1.0F : expf(row.logits[j] - row.largest.logit));
    float difference = prob - targets.elsewhere_f32;
    if (j == row.label) {
      difference = is_largest ? targets.one_minus_at_label_f32 - row.rest * inverse
                              : prob - targets.at_label_f32;
    }
    dlogits[j] = factor * difference;
  }
}

template <unsigned kLanes>
__global__ void __launch_bounds__(kThreads)
    softmax_cross_entropy_kernel(SoftmaxCrossEntropyShape shape, Targets targets, Scale scale,
                                 const float* logits, const std::int32_t* labels, Write write,
                                 float* loss, float* dlogits) {
  constexpr std::int64_t kRows = kThreads / kLanes;
  const float factor = value_of(scale);
  double own = 0.0;
  for (std::int64_t first = 0; first < shape.N; first += kRows) {
    // Groups past the last row stay: their lanes are needed in the warp's reductions.
    const std::int64_t i = first + threadIdx.x / kLanes;
    Row row = {};
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
  const Targets targets = targets_of(label_smoothing, shape.num_classes);
  with_lanes_per_row(shape.num_classes, [&](auto lanes) {
    launch(softmax_cross_entropy_kernel<decltype(lanes)::value>, 1, kThreads, 0, ctx.stream, shape,
           targets, scale, logits, labels, write, loss, dlogits);
  });
}

}  // namespace gradflip
