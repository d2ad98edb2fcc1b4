// Binary cross-entropy of logits: the sum over rows in one launch of one block, whatever N, and
// each row's own in as many blocks as there are rows for.
//
// Decomposition  sum: thread t takes the elements t, t + 1024, ... and sums their losses; one tree
//                over the block adds the threads' sums. One block, because a loss is one sum in one
//                order: more would need scratch memory and a second launch to combine theirs, and a
//                batch is a few hundred to a few thousand logits.
//                Rows: one element per thread, grid-stride.
// Numerics       an element's are in bce_row.cuh; sums of losses in double.
// Cost           12 bytes (16 or 20 with losses for each), one exponential and one logarithm per element.
#include "kernels/bce_with_logits.h"
#include "kernels/cuda/bce_row.cuh"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"

namespace gradflip {
namespace {

constexpr unsigned kThreads = 1024;

// dlogits may be logits: each thread reads its element before it writes it.
__global__ void __launch_bounds__(kThreads)
    bce_with_logits_kernel(std::int64_t N, float label_smoothing, Scale scale, const float* logits,
                           const float* labels, Write write, float* loss, float* dlogits) {
  const float factor = value_of(scale);
  double own = 0.0;
  for (std::int64_t n = threadIdx.x; n < N; n += kThreads) {
    const BceRow row = bce_row(logits[n], labels[n], label_smoothing);
    own += row.plain;
    if (dlogits != nullptr) dlogits[n] = factor * row.gradient;
  }
  const double sum_of_losses = block_reduce<kThreads>(own, Sum{});
  if (threadIdx.x != 0) return;
  const double before = write == Write::kAccumulate ? *loss : 0.0;
  *loss = static_cast<float>(before + sum_of_losses);
}

// dlogits may be logits here, too.
__global__ void bce_with_logits_rows_kernel(std::int64_t N, float label_smoothing,
                                            const float* logits, const float* labels, float* losses,
                                            float* plain, float* dlogits) {
  for (std::int64_t n = global_thread(); n < N; n += global_threads()) {
    const BceRow row = bce_row(logits[n], labels[n], label_smoothing);
    losses[n] = static_cast<float>(row.loss);
    if (plain != nullptr) plain[n] = static_cast<float>(row.plain);
    if (dlogits != nullptr) dlogits[n] = row.gradient;
  }
}

}  // namespace

void bce_with_logits(Cuda ctx, std::int64_t N, float label_smoothing, Scale scale,
                     const float* logits, const float* labels, Write write, float* loss,
                     float* dlogits) {
  require_valid_bce(N, label_smoothing);
  if (N == 0 && write == Write::kAccumulate) return;
  launch(bce_with_logits_kernel, 1, kThreads, 0, ctx, N, label_smoothing, scale, logits, labels,
         write, loss, dlogits);
}

void bce_with_logits_rows(Cuda ctx, std::int64_t N, float label_smoothing, const float* logits,
                          const float* labels, float* losses, float* plain, float* dlogits) {
  require_valid_bce(N, label_smoothing);
  if (N == 0) return;
  launch(bce_with_logits_rows_kernel, elementwise_grid(ctx, N), kElementwiseBlock, 0, ctx, N,
         label_smoothing, logits, labels, losses, plain, dlogits);
}

}  // namespace gradflip
