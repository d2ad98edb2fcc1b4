// Augmentation on a GPU.
//
// Decomposition  a picture per block. It passes between its place in y and a copy, which lies in
//                shared memory where a picture fits there, else in the workspace. Threads take
//                neighbouring pixels, all channels; a barrier stands after each operation that moves
//                pixels. Photometric operations are composed to a table per channel in shared
//                memory: a thread composes entries of its own, and the table is applied when an
//                operation that mixes pixels comes, or at the end.
// Draws          every thread makes them all: ten Philox blocks or so, and nobody waits for them.
// Cost           a picture is read and written once per operation, y through the caches.
// Numerics       integers: the bits of every backend.
#include <algorithm>
#include <limits>

#include "kernels/augment.h"
#include "kernels/augment/arithmetic.h"
#include "kernels/augment/draws.h"
#include "kernels/cuda/simt.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr std::int32_t kAugmentThreads = 256;  // about three pixels each, of digits
constexpr std::int32_t kTableBytes = 256 * static_cast<std::int32_t>(kMaxAugmentedChannels);

// One picture, as all threads of a block see it.
struct Canvas {
  std::int32_t H = 0, W = 0, C = 0;
  std::uint8_t* picture = nullptr;
  std::uint8_t* other = nullptr;
  std::uint8_t* tables = nullptr;  // [C][256], in shared memory
  bool tables_pending = false;

  __device__ __forceinline__ std::int32_t pixels() const { return H * W; }
  __device__ __forceinline__ void swap() {
    std::uint8_t* const previous = picture;
    picture = other;
    other = previous;
  }
};

__device__ __forceinline__ void copy_pixel(const Canvas& canvas, const std::uint8_t* from,
                                           std::uint8_t* to) {
  for (std::int32_t c = 0; c < canvas.C; ++c) to[c] = from[c];
}

__device__ void load(const Canvas& canvas, const std::uint8_t* stored,
                     std::int32_t stored_channels) {
  for (std::int32_t p = threadIdx.x; p < canvas.pixels(); p += kAugmentThreads) {
    for (std::int32_t c = 0; c < canvas.C; ++c) {
      canvas.picture[p * canvas.C + c] =
          stored[p * stored_channels + (stored_channels > 1 ? c : 0)];
    }
  }
  __syncthreads();
}

__device__ void compose(Canvas& canvas, const AugmentSequence& sequence,
                        const DrawnAugment& drawn) {
  for (std::int32_t c = 0; c < canvas.C; ++c) {
    std::int32_t number = drawn.number;
    std::int32_t offset = 0;
    if (drawn.kind == AugmentKind::kChannels) {
      const AugmentSequence::ChannelNumbers numbers = sequence.of_channel(drawn.place, c);
      number = numbers.gain;
      offset = numbers.offset;
    }
    std::uint8_t* const table = canvas.tables + 256 * c;
    for (std::int32_t entry = threadIdx.x; entry < 256; entry += kAugmentThreads) {
      const std::int32_t value = canvas.tables_pending ? table[entry] : entry;
      table[entry] = static_cast<std::uint8_t>(photometric(drawn.kind, number, offset, value));
    }
  }
  canvas.tables_pending = true;
}

__device__ void apply_tables(Canvas& canvas) {
  if (!canvas.tables_pending) return;
  canvas.tables_pending = false;
  __syncthreads();  // the tables are complete
  for (std::int32_t p = threadIdx.x; p < canvas.pixels(); p += kAugmentThreads) {
    for (std::int32_t c = 0; c < canvas.C; ++c) {
      std::uint8_t& value = canvas.picture[p * canvas.C + c];
      value = canvas.tables[256 * c + value];
    }
  }
  __syncthreads();  // and free for others
}

// The other buffer's pixel (x, y) is this one's at source_x(x), source_y(y).
template <typename SourceX, typename SourceY>
__device__ void permute(Canvas& canvas, const SourceX& source_x, const SourceY& source_y) {
  for (std::int32_t p = threadIdx.x; p < canvas.pixels(); p += kAugmentThreads) {
    const std::int32_t y = p / canvas.W;
    const std::int32_t x = p - y * canvas.W;
    copy_pixel(canvas, canvas.picture + (source_y(y) * canvas.W + source_x(x)) * canvas.C,
               canvas.other + p * canvas.C);
  }
  canvas.swap();
  __syncthreads();
}

__device__ void interpolate(Canvas& canvas, const AffineMap& map) {
  const std::int32_t H = canvas.H;
  const std::int32_t W = canvas.W;
  for (std::int32_t p = threadIdx.x; p < canvas.pixels(); p += kAugmentThreads) {
    const std::int32_t y = p / W;
    const std::int32_t x = p - y * W;
    const std::int64_t at_x = affine_x(map, H, W, x, y);
    const std::int64_t at_y = affine_y(map, H, W, x, y);
    const auto fx = static_cast<std::uint32_t>(at_x) & 255U;
    const auto fy = static_cast<std::uint32_t>(at_y) & 255U;
    const std::uint8_t* const upper = canvas.picture + nearest(at_y >> 8, H) * W * canvas.C;
    const std::uint8_t* const lower = canvas.picture + nearest((at_y >> 8) + 1, H) * W * canvas.C;
    const std::int32_t x0 = nearest(at_x >> 8, W) * canvas.C;
    const std::int32_t x1 = nearest((at_x >> 8) + 1, W) * canvas.C;
    for (std::int32_t c = 0; c < canvas.C; ++c) {
      const std::uint32_t top = upper[x0 + c] * (256U - fx) + upper[x1 + c] * fx;
      const std::uint32_t bottom = lower[x0 + c] * (256U - fx) + lower[x1 + c] * fx;
      const std::uint32_t sum = top * (256U - fy) + bottom * fy + (1U << 15U);
      canvas.other[p * canvas.C + c] = static_cast<std::uint8_t>(sum >> 16U);
    }
  }
  canvas.swap();
  __syncthreads();
}

// One direction: the taps over pixels that `stride_x` and `stride_y` lead to.
__device__ void tap(Canvas& canvas, BlurTaps taps, std::int32_t stride_x, std::int32_t stride_y) {
  for (std::int32_t p = threadIdx.x; p < canvas.pixels(); p += kAugmentThreads) {
    const std::int32_t y = p / canvas.W;
    const std::int32_t x = p - y * canvas.W;
    const std::uint8_t* at[5];
    for (std::int32_t k = 0; k < 5; ++k) {
      const std::int32_t source_x = reflected(x + std::int64_t{(k - 2) * stride_x}, canvas.W);
      const std::int32_t source_y = reflected(y + std::int64_t{(k - 2) * stride_y}, canvas.H);
      at[k] = canvas.picture + (source_y * canvas.W + source_x) * canvas.C;
    }
    for (std::int32_t c = 0; c < canvas.C; ++c) {
      const std::int32_t sum = taps.far * (at[0][c] + at[4][c]) +
                               taps.near * (at[1][c] + at[3][c]) + taps.centre * at[2][c];
      canvas.other[p * canvas.C + c] = static_cast<std::uint8_t>((sum + (1 << 15)) >> 16);
    }
  }
  canvas.swap();
  __syncthreads();
}

__device__ void cut_out(const Canvas& canvas, const DrawnAugment& drawn) {
  const CutoutRange across = cutout_range(drawn.across, drawn.number, canvas.W);
  const CutoutRange down = cutout_range(drawn.downwards, drawn.number, canvas.H);
  for (std::int32_t p = threadIdx.x; p < canvas.pixels(); p += kAugmentThreads) {
    const std::int32_t y = p / canvas.W;
    const std::int32_t x = p - y * canvas.W;
    if (y < down.begin || y >= down.end || x < across.begin || x >= across.end) continue;
    for (std::int32_t c = 0; c < canvas.C; ++c) canvas.picture[p * canvas.C + c] = kCutoutValue;
  }
  __syncthreads();
}

__device__ void add_noise(const Canvas& canvas, const AugmentSequence& sequence, std::int32_t place,
                          std::int32_t factor) {
  const std::int32_t bytes = canvas.pixels() * canvas.C;
  for (std::int32_t block = threadIdx.x; 4 * block < bytes; block += kAugmentThreads) {
    const PhiloxCounter words = sequence.noise_block(place, static_cast<std::uint32_t>(block));
    for (std::int32_t w = 0; w < 4 && 4 * block + w < bytes; ++w) {
      std::uint8_t& value = canvas.picture[4 * block + w];
      value = static_cast<std::uint8_t>(noisy(value, word_of(words, w), factor));
    }
  }
  __syncthreads();
}

__device__ void run(Canvas& canvas, const AugmentSequence& sequence, const DrawnAugment& drawn) {
  if (is_photometric(drawn.kind)) return compose(canvas, sequence, drawn);
  const std::int32_t H = canvas.H;
  const std::int32_t W = canvas.W;
  const auto same = [](std::int32_t at) { return at; };
  switch (drawn.kind) {
    case AugmentKind::kShift:
      return permute(
          canvas, [&](std::int32_t x) { return reflected(std::int64_t{x} - drawn.number, W); },
          [&](std::int32_t y) { return reflected(std::int64_t{y} - drawn.second, H); });
    case AugmentKind::kFlipHorizontal:
      return permute(
          canvas, [&](std::int32_t x) { return W - 1 - x; }, same);
    case AugmentKind::kFlipVertical:
      return permute(canvas, same, [&](std::int32_t y) { return H - 1 - y; });
    default:
      break;
  }
  apply_tables(canvas);
  switch (drawn.kind) {
    case AugmentKind::kBlur:
      tap(canvas, blur_taps(drawn.number), 1, 0);
      return tap(canvas, blur_taps(drawn.number), 0, 1);
    case AugmentKind::kCutout:
      return cut_out(canvas, drawn);
    case AugmentKind::kNoise:
      return add_noise(canvas, sequence, drawn.place, noise_factor(drawn.number));
    default:
      return interpolate(canvas, affine_map(drawn, H, W));
  }
}

// copies: (count, H, W, channels), or null where a picture fits into shared memory.
__global__ void augment_kernel(AugmentRows rows, AugmentProgram program, std::uint8_t* copies) {
  GRADFLIP_SHARED(std::uint8_t, tables, [kTableBytes]);
  const AugmentShape& shape = rows.shape;
  for (std::int64_t i = blockIdx.x; i < shape.count; i += gridDim.x) {
    std::uint8_t* const y = rows.y + i * shape.bytes();
    Canvas canvas;
    canvas.H = static_cast<std::int32_t>(shape.H);
    canvas.W = static_cast<std::int32_t>(shape.W);
    canvas.C = static_cast<std::int32_t>(shape.channels);
    canvas.picture = y;
    canvas.other = copies == nullptr ? dynamic_shared<std::uint8_t>() : copies + i * shape.bytes();
    canvas.tables = tables;
    load(canvas, rows.images + rows.indices[i] * shape.H * shape.W * shape.stored_channels,
         static_cast<std::int32_t>(shape.stored_channels));
    AugmentSequence sequence(program, augment_key(rows.draws, *rows.step, rows.row_begin + i));
    for (DrawnAugment drawn; sequence.next(drawn);) run(canvas, sequence, drawn);
    apply_tables(canvas);
    if (canvas.picture != y) {
      for (std::int32_t p = threadIdx.x; p < canvas.pixels(); p += kAugmentThreads) {
        copy_pixel(canvas, canvas.picture + p * canvas.C, y + p * canvas.C);
      }
    }
    __syncthreads();  // the copy is free for the next picture
  }
}

}  // namespace

std::int64_t augment_workspace_bytes(Cuda ctx, const AugmentShape& shape) {
  const bool fits = shape.bytes() + kTableBytes <= ctx.gpu->block_shared_bytes;
  return fits ? 0 : shape.count * shape.bytes();
}

void augment(Cuda ctx, const AugmentRows& rows, const AugmentProgram& program, void* workspace) {
  require_valid(rows.shape);
  require_valid(rows.draws);
  require_valid(program);
  GRADFLIP_REQUIRE(rows.shape.bytes() <= std::numeric_limits<std::int32_t>::max() / 4,
                   message("augment: a picture of ", rows.shape.bytes(), " bytes"));
  if (rows.shape.count == 0) return;
  const bool fits = augment_workspace_bytes(ctx, rows.shape) == 0;
  constexpr std::int64_t kLargestGrid = std::numeric_limits<std::int32_t>::max();
  launch(augment_kernel, dim3(static_cast<unsigned>(std::min(rows.shape.count, kLargestGrid))),
         kAugmentThreads, fits ? static_cast<std::size_t>(rows.shape.bytes()) : 0, ctx, rows,
         program, fits ? nullptr : static_cast<std::uint8_t*>(workspace));
}

}  // namespace gradflip
