// Decomposition  row by row, a vector of channels at a time, whose moments, scale and shift stay in
//                registers over the row's pixels; sums in four chains of pixels.
// Numerics       a row's share of a sum is added up by itself before it is added to the total.
// Cost           memory-bound: 8 bytes per element forward, 8 for the sums, 12 backward.
#include "kernels/batch_norm.h"

#include <algorithm>

#include "kernels/moments.h"
#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/batch_norm.cpp"
#include "kernels/cpu/channel_norm.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

constexpr int kSumChains = 4;

// Calls visit(ChannelNorm, offset of the row's first of these channels, group, c) for every row and
// vector of channels.
template <typename Visit>
HWY_INLINE void for_each_row_and_channels(const BatchNorm& norm, const Visit& visit) {
  const RectifierVectors rectifier(norm.rectifier);
  std::int64_t offset = 0;
  for (int run = 0; run < norm.groups.runs; ++run) {
    const int group = norm.groups.run[run].group;
    for (std::int64_t i = 0; i < norm.groups.run[run].rows; ++i) {
      std::int64_t c = 0;
      for (; c + kLanes <= norm.C; c += kLanes) {
        visit(ChannelNorm<true>(norm, rectifier, group, c, kLanes), offset + c, group, c);
      }
      if (c < norm.C) {
        visit(ChannelNorm<false>(norm, rectifier, group, c, norm.C - c), offset + c, group, c);
      }
      offset += norm.pixels * norm.C;
    }
  }
}

void batch_norm_forward_simd(const BatchNorm& norm, const float* x, float* y) {
  const auto visit = [&](const auto& channel, std::int64_t offset, int, std::int64_t) HWY_ATTR {
    for (std::int64_t pixel = 0; pixel < norm.pixels; ++pixel, offset += norm.C) {
      const Floats xhat = channel.normalised(channel.channels.load_at(x + offset));
      channel.channels.store_at(channel.rectified(channel.unrectified(xhat)), y + offset);
    }
  };
  for_each_row_and_channels(norm, visit);
}

void batch_norm_sums_simd(const BatchNorm& norm, const float* x, const float* dy, float* sums) {
  const auto visit = [&](const auto& channel, std::int64_t offset, int group,
                         std::int64_t c) HWY_ATTR {
    Floats sum[kSumChains], product[kSumChains];
    GRADFLIP_UNROLL
    for (int chain = 0; chain < kSumChains; ++chain) sum[chain] = product[chain] = zeros();
    const auto add = [&](int chain, std::int64_t at) HWY_ATTR {
      const Floats xhat = channel.normalised(channel.channels.load_at(x + at));
      const Floats g = channel.gradient(xhat, channel.channels.load_at(dy + at));
      sum[chain] = hn::Add(sum[chain], g);
      product[chain] = hn::MulAdd(g, xhat, product[chain]);
    };
    std::int64_t pixel = 0;
    for (; pixel + kSumChains <= norm.pixels; pixel += kSumChains) {
      GRADFLIP_UNROLL
      for (int chain = 0; chain < kSumChains; ++chain)
        add(chain, offset + (pixel + chain) * norm.C);
    }
    for (; pixel < norm.pixels; ++pixel) add(0, offset + pixel * norm.C);
    const auto total = [](const Floats(&of)[kSumChains]) HWY_ATTR {
      return hn::Add(hn::Add(of[0], of[1]), hn::Add(of[2], of[3]));
    };
    float* to = sums + group * 2 * norm.C + c;
    channel.channels.store_at(hn::Add(channel.channels.load_at(to), total(sum)), to);
    to += norm.C;
    channel.channels.store_at(hn::Add(channel.channels.load_at(to), total(product)), to);
  };
  for_each_row_and_channels(norm, visit);
}

void batch_norm_backward_simd(const BatchNorm& norm, const BatchNormCounts& counts, const float* x,
                              const float* dy, const float* sums, float* dx) {
  const auto visit = [&](const auto& channel, std::int64_t offset, int group,
                         std::int64_t c) HWY_ATTR {
    const ChannelNormBackward backward(channel, share_of(counts, group), sums, norm.C, group, c);
    for (std::int64_t pixel = 0; pixel < norm.pixels; ++pixel, offset += norm.C) {
      const Floats xhat = channel.normalised(channel.channels.load_at(x + offset));
      const Floats g = channel.gradient(xhat, channel.channels.load_at(dy + offset));
      channel.channels.store_at(backward.dx(xhat, g), dx + offset);
    }
  };
  for_each_row_and_channels(norm, visit);
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(batch_norm_forward_simd);
HWY_EXPORT(batch_norm_sums_simd);
HWY_EXPORT(batch_norm_backward_simd);

void require_valid(const BatchNorm& norm) {
  require_valid(norm.groups);
  require_valid_moments(norm.groups.rows(), norm.pixels, norm.C);
}

void batch_norm_forward(Cpu /*ctx*/, const BatchNorm& norm, const float* x, float* y) {
  require_valid(norm);
  HWY_DYNAMIC_DISPATCH(batch_norm_forward_simd)(norm, x, y);
}

std::int64_t batch_norm_workspace_bytes(Cpu /*ctx*/, std::int64_t /*rows*/, std::int64_t /*C*/) {
  return 0;
}

void batch_norm_sums(Cpu /*ctx*/, const BatchNorm& norm, const float* x, const float* dy,
                     Write write, float* sums, void* /*workspace*/) {
  require_valid(norm);
  if (write == Write::kOverwrite) std::fill_n(sums, norm.groups.groups * 2 * norm.C, 0.0F);
  HWY_DYNAMIC_DISPATCH(batch_norm_sums_simd)(norm, x, dy, sums);
}

void batch_norm_backward(Cpu /*ctx*/, const BatchNorm& norm, const BatchNormCounts& counts,
                         const float* x, const float* dy, const float* sums, float* dx) {
  require_valid(norm);
  HWY_DYNAMIC_DISPATCH(batch_norm_backward_simd)(norm, counts, x, dy, sums, dx);
}

void batch_norm_parameters(Cpu /*ctx*/, int groups, const SharedBy& shared, std::int64_t C,
                           const float* sums, float* dscale, float* dshift) {
  std::fill_n(dscale, C, 0.0F);
  std::fill_n(dshift, C, 0.0F);
  for (int group = 0; group < groups; ++group, sums += 2 * C) {
    if (!shared.group[group]) continue;
    for (std::int64_t c = 0; c < C; ++c) {
      dshift[c] += sums[c];
      dscale[c] += sums[C + c];
    }
  }
}

void fold_batch_norm(Cpu /*ctx*/, const FoldShape& shape, const float* weight, const float* moments,
                     const float* scale, const float* shift, float* folded, float* bias) {
  const float* inverse = moments + 2 * shape.K;
  for (std::int64_t o = 0; o < shape.outer; ++o) {
    for (std::int64_t k = 0; k < shape.K; ++k) {
      const float factor = scale[k] * inverse[k];
      for (std::int64_t i = 0; i < shape.inner; ++i) *folded++ = *weight++ * factor;
    }
  }
  for (std::int64_t k = 0; k < shape.K; ++k) {
    bias[k] = shift[k] - moments[k] * (scale[k] * inverse[k]);
  }
}

}  // namespace gradflip
#endif  // HWY_ONCE
