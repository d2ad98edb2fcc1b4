// Decomposition  one row of the batch per thread. Neighbouring rows walk their cycles for
//                different lengths; a warp takes as long as its longest.
// Cost           latency: a walk is a chain of 8 x 10 Philox rounds, and takes less than four on
//                average. No shuffled array is made, stored or moved.
// Numerics       integers: the rows that the CPU takes.
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/epoch_order.h"
#include "kernels/sampling.h"

namespace gradflip {
namespace {

__global__ void sample_indices_kernel(Sampler sampler, const std::int64_t* step,
                                      std::int64_t row_begin, std::int64_t count,
                                      std::int64_t* indices) {
  const std::int64_t first = *step * sampler.batch + row_begin;
  for (std::int64_t i = global_thread(); i < count; i += global_threads()) {
    indices[i] = sample_at(sampler, first + i);
  }
}

}  // namespace

void sample_indices(Cuda ctx, const Sampler& sampler, const std::int64_t* step,
                    std::int64_t row_begin, std::int64_t count, std::int64_t* indices) {
  require_valid(sampler, row_begin, count);
  if (count == 0) return;
  launch(sample_indices_kernel, elementwise_grid(ctx, count), kElementwiseBlock, 0, ctx, sampler,
         step, row_begin, count, indices);
}

}  // namespace gradflip
