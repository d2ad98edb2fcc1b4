// Decomposition  a thread makes a block of four words and handles the four units that they are for,
//                a quarter of the row apart: neighbouring threads take neighbouring units of each.
// Cost           a block of words per four values or, where units have pixels, per four units.
// Numerics       integers and one multiplication: the CPU's bits.
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/dropout.h"

namespace gradflip {
namespace {

__global__ void dropout_kernel(Dropout dropout, DropoutRows rows, PhiloxKey key,
                               std::uint32_t threshold, float scale, std::int64_t size,
                               const std::int64_t* __restrict__ step, const float* x, float* y) {
  const std::int64_t blocks = dropout_blocks(dropout.units);
  const std::int64_t row_size = dropout.pixels * dropout.units;
  for (std::int64_t at = global_thread(); at < size; at += global_threads()) {
    const std::int64_t row = at / blocks;
    const std::int64_t block = at % blocks;
    const DropoutRows::Run own = rows.at(row);
    const PhiloxCounter words = philox4x32(
        dropout_counter(static_cast<std::uint32_t>(block), own.segment, own.begin, *step), key);
    for (std::int64_t word = 0; word < 4; ++word) {
      const std::int64_t unit = word * blocks + block;
      if (unit >= dropout.units) break;
      const bool kept = words[static_cast<std::size_t>(word)] >= threshold;
      for (std::int64_t pixel = 0; pixel < dropout.pixels; ++pixel) {
        const std::int64_t i = row * row_size + pixel * dropout.units + unit;
        y[i] = kept ? x[i] * scale : 0.0F;
      }
    }
  }
}

}  // namespace

void dropout(Cuda ctx, const Dropout& dropout, const DropoutRows& rows, const std::int64_t* step,
             const float* x, float* y) {
  require_valid(dropout, rows);
  const std::int64_t threads = rows.rows() * dropout_blocks(dropout.units);
  if (threads == 0) return;
  launch(dropout_kernel, elementwise_grid(ctx, threads), kElementwiseBlock, 0, ctx, dropout, rows,
         dropout_key(dropout.seed, dropout.stream), dropout_threshold(dropout.probability),
         dropout_scale(dropout.probability), threads, step, x, y);
}

}  // namespace gradflip
