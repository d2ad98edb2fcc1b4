// Composed of the kernels that it stands for: the reference of the fused one.
#include "kernels/sampled_conv_block.h"

#include "kernels/gather.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr std::int64_t kAlign = 64;
constexpr std::int64_t kLongestRun = 256;

std::int64_t aligned(std::int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

std::int64_t picture_floats(const Conv2dShape& conv) { return conv.H * conv.W * conv.C; }

// The workspace: the pictures' indices, the pictures, conv_block's own.
struct Scratch {
  std::int64_t* indices;
  float* x;
  void* conv_block;
  std::int64_t bytes;

  Scratch(Cpu ctx, const ConvBlockShape& shape, void* workspace) {
    auto* begin = static_cast<std::byte*>(workspace);
    const std::int64_t indices_bytes =
        aligned(shape.conv.N * static_cast<std::int64_t>(sizeof(std::int64_t)));
    const std::int64_t x_bytes = aligned(shape.conv.N * picture_floats(shape.conv) *
                                         static_cast<std::int64_t>(sizeof(float)));
    indices = reinterpret_cast<std::int64_t*>(begin);
    x = reinterpret_cast<float*>(begin + indices_bytes);
    conv_block = begin + indices_bytes + x_bytes;
    bytes = indices_bytes + x_bytes + conv_block_workspace_bytes(ctx, shape);
  }
};

}  // namespace

Misfit sampled_misfit(const ConvBlockShape& shape) {
  const Conv2dShape& conv = shape.conv;
  if (conv.dilation_w != 1) {
    return message("the filter's columns are ", conv.dilation_w, " apart, must be neighbours");
  }
  if (conv.S * conv.C > kLongestRun) {
    return message("a row of the filter has ", conv.S * conv.C, " numbers (", conv.S, " x ", conv.C,
                   " channels), of at most ", kLongestRun);
  }
  return {};
}

void require_valid(const SampledConvBlock& block) {
  require_valid(block.shape);
  const Conv2dShape& conv = block.shape.conv;
  const Misfit misfit = sampled_misfit(block.shape);
  GRADFLIP_REQUIRE(!misfit, message("sampled_conv_block: ", *misfit));
  GRADFLIP_REQUIRE(
      block.segments.size() <= kMaxSampledSegments && block.schedules.size() <= kMaxSchedules,
      message("sampled_conv_block: ", block.segments.size(), " segments (<= ", kMaxSampledSegments,
              "), ", block.schedules.size(), " schedules (<= ", kMaxSchedules, ")"));
  std::int64_t rows = 0;
  for (const SampledSegment& segment : block.segments) {
    require_valid(segment.sampler, 0, segment.rows);
    GRADFLIP_REQUIRE(
        segment.stored_channels == 1 || segment.stored_channels == conv.C,
        message("sampled_conv_block: ", segment.stored_channels, " channels for ", conv.C));
    rows += segment.rows;
  }
  GRADFLIP_REQUIRE(rows == conv.N, message("sampled_conv_block: segments of ", rows,
                                           " rows in all for N = ", conv.N));
  for (const ScheduledValue& scheduled : block.schedules) {
    GRADFLIP_REQUIRE(
        scheduled.schedule.total_steps > 0,
        message("schedule: total_steps is ", scheduled.schedule.total_steps, ", must be > 0"));
  }
}

std::int64_t sampled_conv_block_workspace_bytes(Cpu ctx, const ConvBlockShape& shape) {
  return Scratch(ctx, shape, nullptr).bytes;
}

void sampled_conv_block_forward(Cpu ctx, const SampledConvBlock& block, void* workspace) {
  require_valid(block);
  const Scratch scratch(ctx, block.shape, workspace);
  const Conv2dShape& conv = block.shape.conv;
  float* const x = block.x == nullptr ? scratch.x : block.x;
  std::int64_t first = 0;
  for (const SampledSegment& segment : block.segments) {
    std::int64_t* indices = scratch.indices + first;
    sample_indices(ctx, segment.sampler, block.step, 0, segment.rows, indices);
    gather_normalize(ctx,
                     {.count = segment.rows,
                      .pixels = conv.H * conv.W,
                      .stored_channels = segment.stored_channels,
                      .channels = conv.C},
                     segment.images, indices, block.mean, block.scale,
                     x + first * picture_floats(conv));
    if (segment.labels != nullptr) {
      gather_labels(ctx, segment.rows, segment.labels, indices, segment.row_labels);
    }
    first += segment.rows;
  }
  conv_block_forward(ctx, block.shape, x, block.filter, block.bias, block.pooled, block.winner,
                     scratch.conv_block);
  for (const ScheduledValue& scheduled : block.schedules) {
    evaluate_schedule(ctx, scheduled.schedule, block.step, scheduled.value);
  }
}

}  // namespace gradflip
