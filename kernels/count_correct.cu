// Rows that a classifier gets right: one launch of one block, as evaluation counts a batch of a
// thousand rows at a time and the launch is most of it.
//
// Decomposition  count_correct: rows go to groups of lanes (class_rows.cuh), which agree on their
//                largest logit. count_correct_binary: one row per thread. One tree over the block
//                adds the threads' counts.
// Cost           each logit and label is read once.
// Numerics       integers until the end: exact.
#include "kernels/count_correct.h"
#include "kernels/cuda/class_rows.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr unsigned kThreads = 1024;

// Whole block.
__device__ __forceinline__ void write_count(std::int64_t own, Write write, float* count) {
  const std::int64_t correct = block_reduce<kThreads>(own, Sum{});
  if (threadIdx.x != 0) return;
  *count = static_cast<float>(correct) + (write == Write::kAccumulate ? *count : 0.0F);
}

template <unsigned kLanes>
__global__ void __launch_bounds__(kThreads)
    count_correct_kernel(std::int64_t N, std::int64_t num_classes, const float* logits,
                         const std::int32_t* labels, Write write, float* count) {
  constexpr std::int64_t kRows = kThreads / kLanes;
  std::int64_t own = 0;
  for (std::int64_t first = 0; first < N; first += kRows) {
    // Groups past the last row stay: their lanes are needed in the warp's reductions.
    const std::int64_t i = first + threadIdx.x / kLanes;
    const bool exists = i < N;
    const Candidate largest = largest_logit<kLanes>(exists ? num_classes : 0,
                                                    exists ? logits + i * num_classes : nullptr);
    if (!exists || threadIdx.x % kLanes != 0) continue;
    const std::int64_t best = class_of(largest);
    if (best >= 0 && best == labels[i]) ++own;
  }
  write_count(own, write, count);
}

__global__ void __launch_bounds__(kThreads)
    count_correct_binary_kernel(std::int64_t N, const float* logits, const float* labels,
                                Write write, float* count) {
  std::int64_t own = 0;
  for (std::int64_t n = threadIdx.x; n < N; n += kThreads) {
    const bool right =
        (labels[n] == 1.0F && logits[n] > 0.0F) || (labels[n] == 0.0F && logits[n] < 0.0F);
    if (right) ++own;
  }
  write_count(own, write, count);
}

}  // namespace

void count_correct(Cuda ctx, std::int64_t N, std::int64_t num_classes, const float* logits,
                   const std::int32_t* labels, Write write, float* count) {
  GRADFLIP_REQUIRE(
      N >= 0 && num_classes > 0,
      message("count_correct: N is ", N, " (>= 0), num_classes is ", num_classes, " (> 0)"));
  if (N == 0 && write == Write::kAccumulate) return;
  with_lanes_per_row(num_classes, [&](auto lanes) {
    launch(count_correct_kernel<decltype(lanes)::value>, 1, kThreads, 0, ctx, N, num_classes,
           logits, labels, write, count);
  });
}

void count_correct_binary(Cuda ctx, std::int64_t N, const float* logits, const float* labels,
                          Write write, float* count) {
  GRADFLIP_REQUIRE(N >= 0, message("count_correct_binary: N is ", N, ", must be >= 0"));
  if (N == 0 && write == Write::kAccumulate) return;
  launch(count_correct_binary_kernel, 1, kThreads, 0, ctx, N, logits, labels, write, count);
}

}  // namespace gradflip
