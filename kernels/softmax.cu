// Softmax and its logarithm of rows of logits, forward and backward.
//
// Decomposition  rows go to groups of lanes (class_rows.cuh). Forward a row takes three sweeps: its
//                maximum, its sum of exponentials, its outputs; backward two: its sum, its outputs.
//                The first brings it into the first-level cache for the others. A lane reads in
//                every sweep the classes that it writes in the last, so outputs may be inputs.
// Numerics       softmax_row.cuh: the sum leaves out the 1 of the maximum.
// Cost           memory-bound: 8 bytes per logit forward, 12 backward; two exponentials per logit
//                of softmax, one otherwise, none of softmax_backward.
#include <limits>

#include "kernels/cuda/simt.h"
#include "kernels/cuda/softmax_row.cuh"
#include "kernels/softmax.h"

namespace gradflip {
namespace {

constexpr unsigned kSoftmaxThreads = 128;

// The row of this thread's group; one past the last has no classes, but takes part in sums.
template <unsigned kLanes>
struct OwnRow {
  std::int64_t begin, num_classes;

  __device__ __forceinline__ explicit OwnRow(const SoftmaxShape& shape) {
    constexpr std::int64_t kRows = kSoftmaxThreads / kLanes;
    const std::int64_t i = std::int64_t{blockIdx.x} * kRows + threadIdx.x / kLanes;
    begin = i * shape.num_classes;
    num_classes = i < shape.N ? shape.num_classes : 0;
  }
};

template <unsigned kLanes, bool kIsLog>
__global__ void __launch_bounds__(kSoftmaxThreads)
    softmax_kernel(SoftmaxShape shape, const float* logits, float* y) {
  const OwnRow<kLanes> own(shape);
  SoftmaxRow row = {logits + own.begin, own.num_classes, 0, {}, 0.0F};
  row.largest = largest_logit<kLanes>(row.num_classes, row.logits);
  row.rest = sum_but_largest<kLanes>(row);
  const float inverse = 1.0F / (1.0F + row.rest), log_sum = log1pf(row.rest);
  for (std::int64_t j = threadIdx.x % kLanes; j < own.num_classes; j += kLanes) {
    const float x = row.logits[j];
    const float gap = x - row.largest.logit;
    if constexpr (kIsLog) {
      constexpr float kInfinity = std::numeric_limits<float>::infinity();
      constexpr float kLowest = std::numeric_limits<float>::lowest();
      const float log_prob = gap - log_sum;
      y[own.begin + j] = log_prob < kLowest && x > -kInfinity ? kLowest : log_prob;
    } else {
      y[own.begin + j] = inverse * expf(gap);
    }
  }
}

template <unsigned kLanes, bool kIsLog>
__global__ void __launch_bounds__(kSoftmaxThreads)
    softmax_backward_kernel(SoftmaxShape shape, const float* y, const float* dy, float* dx) {
  const OwnRow<kLanes> own(shape);
  float sum = 0.0F;
  for (std::int64_t j = threadIdx.x % kLanes; j < own.num_classes; j += kLanes) {
    const std::int64_t at = own.begin + j;
    sum += kIsLog ? dy[at] : y[at] * dy[at];
  }
  sum = warp_reduce<kLanes>(sum, Sum{});
  for (std::int64_t j = threadIdx.x % kLanes; j < own.num_classes; j += kLanes) {
    const std::int64_t at = own.begin + j;
    const float out = y[at], arriving = dy[at];
    dx[at] = kIsLog ? arriving - expf(out) * sum : out * (arriving - sum);
  }
}

// start(lanes, grid) of a launch for all rows, if there are any.
template <typename Start>
void with_rows(const SoftmaxShape& shape, const Start& start) {
  require_valid(shape);
  if (shape.N == 0) return;
  with_lanes_per_row(shape.num_classes, [&](auto lanes) {
    constexpr std::int64_t kRows = kSoftmaxThreads / decltype(lanes)::value;
    start(lanes, dim3(static_cast<unsigned>((shape.N + kRows - 1) / kRows)));
  });
}

template <bool kIsLog>
void launch_forward(const Cuda& ctx, const SoftmaxShape& shape, const float* logits, float* y) {
  with_rows(shape, [&](auto lanes, dim3 grid) {
    launch(softmax_kernel<decltype(lanes)::value, kIsLog>, grid, kSoftmaxThreads, 0, ctx, shape,
           logits, y);
  });
}

template <bool kIsLog>
void launch_backward(const Cuda& ctx, const SoftmaxShape& shape, const float* y, const float* dy,
                     float* dx) {
  with_rows(shape, [&](auto lanes, dim3 grid) {
    launch(softmax_backward_kernel<decltype(lanes)::value, kIsLog>, grid, kSoftmaxThreads, 0, ctx,
           shape, y, dy, dx);
  });
}

}  // namespace

void softmax(Cuda ctx, const SoftmaxShape& shape, const float* logits, float* y) {
  launch_forward<false>(ctx, shape, logits, y);
}

void log_softmax(Cuda ctx, const SoftmaxShape& shape, const float* logits, float* y) {
  launch_forward<true>(ctx, shape, logits, y);
}

void softmax_backward(Cuda ctx, const SoftmaxShape& shape, const float* y, const float* dy,
                      float* dx) {
  launch_backward<false>(ctx, shape, y, dy, dx);
}

void log_softmax_backward(Cuda ctx, const SoftmaxShape& shape, const float* y, const float* dy,
                          float* dx) {
  launch_backward<true>(ctx, shape, y, dy, dx);
}

}  // namespace gradflip
