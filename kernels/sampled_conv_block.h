// A training step's first block: conv_block on pictures that it takes itself from data sets of
// bytes, and what else stands at the intake of a step. It does what sample_indices,
// gather_normalize, conv_block_forward, gather_labels and evaluate_schedule do one after the other;
// on CUDA it is one launch.
//
//   x[row] = (images[sample_index(sampler, *step * batch + r)] - mean) * scale,  r: row in segment
//   pooled, winner = conv_block_forward(x, filter, bias)
// Rows of the segments stand one after the other. Positions outside a picture count as zero, after
// normalisation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/context.h"
#include "kernels/conv_block.h"
#include "kernels/misfit.h"
#include "kernels/sampling.h"
#include "kernels/schedule.h"

namespace gradflip {

inline constexpr std::size_t kMaxSampledSegments = 8;
inline constexpr std::size_t kMaxSchedules = 8;

struct SampledSegment {
  const std::uint8_t* images = nullptr;  // (sampler.size, H, W, stored_channels)
  std::int64_t stored_channels = 0;      // C, or 1: replicated
  Sampler sampler;
  std::int64_t rows = 0;                 // of this step; may be 0
  const std::int32_t* labels = nullptr;  // (sampler.size); null: no labels
  std::int32_t* row_labels = nullptr;    // (rows), overwritten
};

struct ScheduledValue {
  Schedule schedule;
  float* value = nullptr;  // overwritten
};

// All pointers are into the context's memory; the spans themselves are read before the call
// returns. Nothing may overlap.
struct SampledConvBlock {
  ConvBlockShape shape;  // N: rows of all segments; dilation_w is 1
  std::span<const SampledSegment> segments = {};
  const std::int64_t* step = nullptr;
  const float* mean = nullptr;   // (C), in units of a byte
  const float* scale = nullptr;  // (C), of what is left
  const float* filter = nullptr;
  const float* bias = nullptr;
  float* pooled = nullptr;
  std::uint8_t* winner = nullptr;
  float* x = nullptr;  // (N, H, W, C), for the filter's gradient; null where it is not wanted
  std::span<const ScheduledValue> schedules = {};
};

// A row of the filter must be one run of the picture's row, S*C elements of at most 256.
Misfit sampled_misfit(const ConvBlockShape& shape);
inline bool samples_conv_block(const ConvBlockShape& shape) { return !sampled_misfit(shape); }

// Throws std::invalid_argument unless everything fits together.
void require_valid(const SampledConvBlock& block);

// At `workspace`, 64-byte aligned; no more for a smaller N.
std::int64_t sampled_conv_block_workspace_bytes(Cpu ctx, const ConvBlockShape& shape);
std::int64_t sampled_conv_block_workspace_bytes(Cuda ctx, const ConvBlockShape& shape);

void sampled_conv_block_forward(Cpu ctx, const SampledConvBlock& block, void* workspace);
void sampled_conv_block_forward(Cuda ctx, const SampledConvBlock& block, void* workspace);

}  // namespace gradflip
