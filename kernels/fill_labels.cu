// Decomposition  one label per thread, grid-stride; neighbouring threads write neighbouring labels.
// Cost           memory-bound: 4 bytes per label.
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/fill_labels.h"

namespace gradflip {
namespace {

__global__ void fill_labels_kernel(std::int64_t size, std::int32_t value, std::int32_t* out) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) out[i] = value;
}

}  // namespace

void fill_labels(Cuda ctx, std::int64_t size, std::int32_t value, std::int32_t* out) {
  if (size <= 0) return;
  launch(fill_labels_kernel, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx, size, value,
         out);
}

}  // namespace gradflip
