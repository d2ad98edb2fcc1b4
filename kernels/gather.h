// Samples and labels of a data set in the context's memory, picked by index.
//
//   pictures   y[i, pixel, c] = (images[indices[i], pixel, c or 0] - mean[c]) * scale[c]
//   rows       y[i, d] = rows[indices[i], d]
//   labels     out[i] = labels[indices[i]]
// Grey pictures (1 stored channel) are replicated to `channels`. Indices are trusted to be in
// range. Outputs are overwritten and overlap no input.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

struct GatherShape {
  std::int64_t count = 0;            // pictures to write; may be 0
  std::int64_t pixels = 0;           // height * width
  std::int64_t stored_channels = 0;  // 1 or `channels`
  std::int64_t channels = 0;
};

// Throws unless sizes and channels make sense.
void require_valid(const GatherShape& shape);
// And normalize() takes it.
void require_normalizes(const GatherShape& shape);

// images: (any, pixels, stored_channels) uint8; indices: (count); mean: (channels), in units of a
// stored byte; scale: (channels), of the difference; y: (count, pixels, channels) f32.
void gather_normalize(Cpu ctx, const GatherShape& shape, const std::uint8_t* images,
                      const std::int64_t* indices, const float* mean, const float* scale, float* y);
void gather_normalize(Cuda ctx, const GatherShape& shape, const std::uint8_t* images,
                      const std::int64_t* indices, const float* mean, const float* scale, float* y);

// rows: (any, D) f32; indices: (count); y: (count, D) f32. count and D may be 0.
void gather_rows(Cpu ctx, std::int64_t count, std::int64_t D, const float* rows,
                 const std::int64_t* indices, float* y);
void gather_rows(Cuda ctx, std::int64_t count, std::int64_t D, const float* rows,
                 const std::int64_t* indices, float* y);

// Bytes that have been picked, and changed, already: y[i, pixel, c] = (bytes[i, pixel, c] - mean[c])
// * scale[c], the bits of gather_normalize. bytes: (count, pixels, channels); stored_channels is
// `channels`.
void normalize(Cpu ctx, const GatherShape& shape, const std::uint8_t* bytes, const float* mean,
               const float* scale, float* y);
void normalize(Cuda ctx, const GatherShape& shape, const std::uint8_t* bytes, const float* mean,
               const float* scale, float* y);

// labels: (any); indices, out: (count); count may be 0.
void gather_labels(Cpu ctx, std::int64_t count, const std::int32_t* labels,
                   const std::int64_t* indices, std::int32_t* out);
void gather_labels(Cuda ctx, std::int64_t count, const std::int32_t* labels,
                   const std::int64_t* indices, std::int32_t* out);

}  // namespace gradflip
