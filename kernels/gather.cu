// Pictures, rows and labels by index.
//
// Decomposition  of pictures: a block takes a run of pixels of one, all channels; its threads take
//                neighbouring elements, so a warp reads 32 bytes (fewer where a grey picture is
//                replicated) and writes 128 in a row. A thread divides once, in 32 bits, to learn
//                its pixel and channel, and from then on steps by addition. Pictures ride grid.x.
//                Of rows: an element a thread, grid-stride, so that rows of two floats fill warps
//                as those of a thousand do; a division tells the row.
// Cost           memory-bound. Pictures: 4 bytes written and one read (1 / channels where they are
//                replicated) per element; means and scales come from the first-level cache. Rows: 8
//                bytes per element, and an index, which neighbours share.
// Numerics       a subtraction and a multiplication, as on the CPU: the same bits.
#include <algorithm>
#include <limits>

#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/gather.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr std::int64_t kThreads = 256;
// Eight elements a thread: enough to pay for its division, few enough that the digits of a small
// batch (2352 elements each) spread over the multiprocessors.
constexpr std::int64_t kElementsPerBlock = 8 * kThreads;

// How a picture is cut into runs of whole pixels, and how a thread steps through one: kThreads
// elements further are `pixel_step` pixels and `channel_step` channels.
struct Runs {
  std::int64_t pixels = 0;  // of a run, at least one
  std::int64_t per_picture = 0;
  std::int64_t pixel_step = 0;
  std::int64_t channel_step = 0;
  std::uint32_t divisor = 1;  // gives a thread's first pixel and channel
};

Runs runs_of(const GatherShape& shape) {
  const std::int64_t pixels = std::max<std::int64_t>(1, kElementsPerBlock / shape.channels);
  return {.pixels = pixels,
          .per_picture = (shape.pixels + pixels - 1) / pixels,
          .pixel_step = kThreads / shape.channels,
          .channel_step = kThreads % shape.channels,
          .divisor = static_cast<std::uint32_t>(std::min(shape.channels, kThreads))};
}

// One run of `pixels` pixels: y and bytes begin at its first.
template <bool kReplicated>
__device__ __forceinline__ void normalize_run(const Runs& runs, std::int64_t pixels,
                                              std::int64_t channels,
                                              const std::uint8_t* __restrict__ bytes,
                                              const float* __restrict__ mean,
                                              const float* __restrict__ scale,
                                              float* __restrict__ y) {
  std::int64_t pixel = threadIdx.x / runs.divisor;
  std::int64_t c = threadIdx.x % runs.divisor;
  for (std::int64_t i = threadIdx.x; i < pixels * channels; i += kThreads) {
    const float value = static_cast<float>(bytes[kReplicated ? pixel : i]);
    y[i] = (value - mean[c]) * scale[c];
    pixel += runs.pixel_step;
    c += runs.channel_step;
    if (c >= channels) {
      c -= channels;
      ++pixel;
    }
  }
}

// indices: null for the pictures as they stand.
template <bool kReplicated>
__global__ void gather_normalize_kernel(GatherShape shape, Runs runs, const std::uint8_t* images,
                                        const std::int64_t* indices, const float* mean,
                                        const float* scale, float* y) {
  for (std::int64_t picture = blockIdx.x; picture < shape.count; picture += gridDim.x) {
    const std::int64_t source = (indices == nullptr ? picture : indices[picture]) * shape.pixels;
    const std::int64_t destination = picture * shape.pixels;
    for (std::int64_t run = blockIdx.y; run < runs.per_picture; run += gridDim.y) {
      const std::int64_t first = run * runs.pixels;
      const std::int64_t rest = shape.pixels - first;
      normalize_run<kReplicated>(runs, rest < runs.pixels ? rest : runs.pixels, shape.channels,
                                 images + (source + first) * shape.stored_channels, mean, scale,
                                 y + (destination + first) * shape.channels);
    }
  }
}

__global__ void gather_rows_kernel(std::int64_t size, Divisor D, const float* __restrict__ rows,
                                   const std::int64_t* __restrict__ indices,
                                   float* __restrict__ y) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const Quotient at = D.divide(i);
    y[i] = rows[indices[at.quotient] * D.value() + at.remainder];
  }
}

__global__ void gather_labels_kernel(std::int64_t count, const std::int32_t* labels,
                                     const std::int64_t* indices, std::int32_t* out) {
  for (std::int64_t i = global_thread(); i < count; i += global_threads()) {
    out[i] = labels[indices[i]];
  }
}

void launch_normalize(const Cuda& ctx, const GatherShape& shape, const std::uint8_t* images,
                      const std::int64_t* indices, const float* mean, const float* scale,
                      float* y) {
  if (shape.count == 0 || shape.pixels == 0) return;
  const Runs runs = runs_of(shape);
  constexpr std::int64_t kLargestGridX = std::numeric_limits<std::int32_t>::max();
  constexpr std::int64_t kLargestGridY = 65535;
  const dim3 grid(static_cast<unsigned>(std::min(shape.count, kLargestGridX)),
                  static_cast<unsigned>(std::min(runs.per_picture, kLargestGridY)));
  const bool replicated = shape.stored_channels != shape.channels;
  launch(replicated ? gather_normalize_kernel<true> : gather_normalize_kernel<false>, grid,
         kThreads, 0, ctx, shape, runs, images, indices, mean, scale, y);
}

}  // namespace

void gather_normalize(Cuda ctx, const GatherShape& shape, const std::uint8_t* images,
                      const std::int64_t* indices, const float* mean, const float* scale,
                      float* y) {
  require_valid(shape);
  launch_normalize(ctx, shape, images, indices, mean, scale, y);
}

void normalize(Cuda ctx, const GatherShape& shape, const std::uint8_t* bytes, const float* mean,
               const float* scale, float* y) {
  require_normalizes(shape);
  launch_normalize(ctx, shape, bytes, nullptr, mean, scale, y);
}

void gather_rows(Cuda ctx, std::int64_t count, std::int64_t D, const float* rows,
                 const std::int64_t* indices, float* y) {
  GRADFLIP_REQUIRE(count >= 0 && D >= 0,
                   message("gather: ", count, " rows of ", D, " floats; both must be >= 0"));
  const std::int64_t size = count * D;
  if (size == 0) return;
  launch(gather_rows_kernel, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx, size,
         Divisor(D), rows, indices, y);
}

void gather_labels(Cuda ctx, std::int64_t count, const std::int32_t* labels,
                   const std::int64_t* indices, std::int32_t* out) {
  GRADFLIP_REQUIRE(count >= 0, message("gather: count is ", count, ", must be >= 0"));
  if (count == 0) return;
  launch(gather_labels_kernel, elementwise_grid(ctx, count), kElementwiseBlock, 0, ctx, count,
         labels, indices, out);
}

}  // namespace gradflip
