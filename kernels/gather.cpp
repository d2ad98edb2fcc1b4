// Pictures, rows and labels picked by index, on the CPU.
//
// Decomposition  pictures run by run of up to 192 elements: means and scales lie side by side for a
//                run, and the bytes of a grey picture are replicated into one first, so that
//                vectors run over all of them.
// Speed          128 pictures of 28x28x3, one core of an AMD EPYC (Zen 4), 2026-11-25: 23 us, from
//                grey ones 55 us; as loops for the compiler 84 and 138 us (kernel_bench).

#include "kernels/gather.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gather.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kRun = 192;  // whole vectors of everything for 1 to 4 channels
constexpr std::int64_t kWord = 4;   // channels of a grey pixel that are written at once

void normalize_run(std::int64_t size, const std::uint8_t* bytes, const float* mean,
                   const float* scale, float* y) {
  const auto normalized = [](Ints x, Floats means, Floats scales) HWY_ATTR {
    return hn::Mul(hn::Sub(hn::ConvertTo(FloatTag(), x), means), scales);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    store(normalized(load_bytes(kLanes, bytes + i), load(mean + i), load(scale + i)), y + i);
  }
  if (i < size) {
    const std::int64_t rest = size - i;
    store_first(rest,
                normalized(load_bytes(rest, bytes + i), load_first(rest, mean + i),
                           load_first(rest, scale + i)),
                y + i);
  }
}

// Each of `pixels` bytes `channels` times, up to kWord; writes up to kWord - 1 bytes past the last.
void replicate(std::int64_t pixels, std::int64_t channels, const std::uint8_t* bytes,
               std::uint8_t* to) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    const std::uint32_t word = bytes[pixel] * 0x01010101U;
    std::memcpy(to + pixel * channels, &word, kWord);
  }
}

// One pixel of many channels.
void normalize_grey(std::int64_t channels, std::uint8_t byte, const float* mean, const float* scale,
                    float* y) {
  const auto value = static_cast<float>(byte);
  for (std::int64_t c = 0; c < channels; ++c) y[c] = (value - mean[c]) * scale[c];
}

// indices: null for the pictures as they stand.
void gather_normalize_simd(const GatherShape& shape, const std::uint8_t* images,
                           const std::int64_t* indices, const float* mean, const float* scale,
                           float* y) {
  const std::int64_t channels = shape.channels;
  const bool grey = shape.stored_channels != channels;
  const std::int64_t most = grey ? kWord : kRun;
  // With more channels pixel by pixel, each of which has the means side by side as they are.
  const std::int64_t run_pixels = channels <= most ? kRun / channels : 1;
  std::array<float, kRun> mean_pattern, scale_pattern;
  const float* means = mean;
  const float* scales = scale;
  if (run_pixels > 1) {
    for (std::int64_t i = 0; i < run_pixels * channels; ++i) {
      mean_pattern[i] = i < channels ? mean[i] : mean_pattern[i - channels];
      scale_pattern[i] = i < channels ? scale[i] : scale_pattern[i - channels];
    }
    means = mean_pattern.data();
    scales = scale_pattern.data();
  }
  std::array<std::uint8_t, kRun + kWord> replicated;
  for (std::int64_t n = 0; n < shape.count; ++n) {
    const std::int64_t index = indices == nullptr ? n : indices[n];
    const std::uint8_t* picture = images + index * shape.pixels * shape.stored_channels;
    for (std::int64_t pixel = 0; pixel < shape.pixels; pixel += run_pixels) {
      const std::int64_t pixels = std::min(run_pixels, shape.pixels - pixel);
      const std::uint8_t* bytes = picture + pixel * shape.stored_channels;
      float* to = y + (n * shape.pixels + pixel) * channels;
      if (grey && channels > most) {
        normalize_grey(channels, *bytes, mean, scale, to);
        continue;
      }
      if (grey) {
        replicate(pixels, channels, bytes, replicated.data());
        bytes = replicated.data();
      }
      normalize_run(pixels * channels, bytes, means, scales, to);
    }
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(gather_normalize_simd);

void require_valid(const GatherShape& shape) {
  GRADFLIP_REQUIRE(shape.count >= 0 && shape.pixels >= 0 && shape.channels > 0,
                   message("gather: count is ", shape.count, " (>= 0), pixels ", shape.pixels,
                           " (>= 0), channels ", shape.channels, " (> 0)"));
  GRADFLIP_REQUIRE(shape.stored_channels == 1 || shape.stored_channels == shape.channels,
                   message("gather: pictures have ", shape.stored_channels,
                           " channels, must have 1 or ", shape.channels));
}

void require_normalizes(const GatherShape& shape) {
  require_valid(shape);
  GRADFLIP_REQUIRE(shape.stored_channels == shape.channels,
                   message("normalize: the bytes have ", shape.stored_channels,
                           " channels, must have ", shape.channels));
}

void gather_normalize(Cpu /*ctx*/, const GatherShape& shape, const std::uint8_t* images,
                      const std::int64_t* indices, const float* mean, const float* scale,
                      float* y) {
  require_valid(shape);
  HWY_DYNAMIC_DISPATCH(gather_normalize_simd)(shape, images, indices, mean, scale, y);
}

void normalize(Cpu /*ctx*/, const GatherShape& shape, const std::uint8_t* bytes, const float* mean,
               const float* scale, float* y) {
  require_normalizes(shape);
  HWY_DYNAMIC_DISPATCH(gather_normalize_simd)(shape, bytes, nullptr, mean, scale, y);
}

void gather_rows(Cpu /*ctx*/, std::int64_t count, std::int64_t D, const float* rows,
                 const std::int64_t* indices, float* y) {
  GRADFLIP_REQUIRE(count >= 0 && D >= 0,
                   message("gather: ", count, " rows of ", D, " floats; both must be >= 0"));
  for (std::int64_t i = 0; i < count; ++i) std::copy_n(rows + indices[i] * D, D, y + i * D);
}

void gather_labels(Cpu /*ctx*/, std::int64_t count, const std::int32_t* labels,
                   const std::int64_t* indices, std::int32_t* out) {
  GRADFLIP_REQUIRE(count >= 0, message("gather: count is ", count, ", must be >= 0"));
  for (std::int64_t i = 0; i < count; ++i) out[i] = labels[indices[i]];
}

}  // namespace gradflip
#endif  // HWY_ONCE
