// The class of each row's largest logit.
//
// Decomposition  rows go to groups of lanes (class_rows.cuh), which agree on their largest logit;
//                as many blocks as there are rows for.
// Cost           memory-bound: each logit is read once.
// Numerics       comparisons only: exact.
#include "kernels/arg_max.h"
#include "kernels/cuda/class_rows.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr unsigned kThreads = 128;

template <unsigned kLanes>
__global__ void __launch_bounds__(kThreads)
    arg_max_rows_kernel(std::int64_t N, std::int64_t num_classes, const float* logits,
                        std::int32_t* classes) {
  constexpr std::int64_t kRows = kThreads / kLanes;
  const std::int64_t i = std::int64_t{blockIdx.x} * kRows + threadIdx.x / kLanes;
  // Groups past the last row stay: their lanes are needed in the warp's reduction.
  const bool exists = i < N;
  const Candidate largest =
      largest_logit<kLanes>(exists ? num_classes : 0, exists ? logits + i * num_classes : nullptr);
  if (!exists || threadIdx.x % kLanes != 0) return;
  classes[i] = static_cast<std::int32_t>(class_of(largest));
}

}  // namespace

void arg_max_rows(Cuda ctx, std::int64_t N, std::int64_t num_classes, const float* logits,
                  std::int32_t* classes) {
  GRADFLIP_REQUIRE(N >= 0 && num_classes > 0,
                   message("arg_max: N is ", N, " (>= 0), num_classes is ", num_classes, " (> 0)"));
  if (N == 0) return;
  with_lanes_per_row(num_classes, [&](auto lanes) {
    constexpr unsigned kLanes = decltype(lanes)::value;
    constexpr std::int64_t kRows = kThreads / kLanes;
    const dim3 grid(static_cast<unsigned>((N + kRows - 1) / kRows));
    launch(arg_max_rows_kernel<kLanes>, grid, kThreads, 0, ctx, N, num_classes, logits, classes);
  });
}

}  // namespace gradflip
