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
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

constexpr int kSumChains = 4;

// `count` channels from one on: all lanes, or the first ones.
template <bool kWhole>
struct Channels {
  std::int64_t count;

  HWY_INLINE Floats load_at(const float* at) const {
    return kWhole ? load(at) : load_first(count, at);
  }
  HWY_INLINE void store_at(Floats v, float* at) const {
    if (kWhole) {
      store(v, at);
    } else {
      store_first(count, v, at);
    }
  }
};

// What a vector of channels does to its values.
template <bool kWhole>
struct ChannelNorm {
  HWY_INLINE ChannelNorm(const BatchNorm& norm, int group, std::int64_t c, std::int64_t count)
      : channels{count},
        mean(channels.load_at(norm.moments + group * kMoments * norm.C + c)),
        inverse(channels.load_at(norm.moments + (group * kMoments + 2) * norm.C + c)),
        scale(channels.load_at(norm.scale[group] + c)),
        shift(channels.load_at(norm.shift[group] + c)),
        slope(broadcast(norm.rectifier.slope)),
        cap(broadcast(norm.rectifier.cap)),
        dead(norm.rectifier.slope == 0.0F),
        rectifies(norm.rectifier.slope != 1.0F || norm.rectifier.cap < kIdentity.cap) {}

  HWY_INLINE Floats normalised(Floats x) const { return hn::Mul(hn::Sub(x, mean), inverse); }
  HWY_INLINE Floats unrectified(Floats xhat) const { return hn::MulAdd(xhat, scale, shift); }

  // As rectifier.h has them: a comparison that a NaN fails, so that it passes.
  HWY_INLINE Floats rectified(Floats value) const {
    if (!rectifies) return value;
    const auto below = hn::Le(value, zeros());
    const Floats low = dead ? zeros() : hn::Mul(slope, value);
    return hn::IfThenElse(below, low, hn::IfThenElse(hn::Ge(value, cap), cap, value));
  }
  HWY_INLINE Floats gradient(Floats xhat, Floats dy) const {
    if (!rectifies) return dy;
    const Floats value = unrectified(xhat);
    const auto below = hn::Le(value, zeros());
    const Floats low = dead ? zeros() : hn::Mul(slope, dy);
    return hn::IfThenElse(below, low, hn::IfThenZeroElse(hn::Ge(value, cap), dy));
  }

  Channels<kWhole> channels;
  Floats mean, inverse, scale, shift, slope, cap;
  bool dead, rectifies;
};

// Calls visit(ChannelNorm, offset of the row's first of these channels, group, c) for every row and
// vector of channels.
template <typename Visit>
HWY_INLINE void for_each_row_and_channels(const BatchNorm& norm, const Visit& visit) {
  std::int64_t offset = 0;
  for (int run = 0; run < norm.groups.runs; ++run) {
    const int group = norm.groups.run[run].group;
    for (std::int64_t i = 0; i < norm.groups.run[run].rows; ++i) {
      std::int64_t c = 0;
      for (; c + kLanes <= norm.C; c += kLanes) {
        visit(ChannelNorm<true>(norm, group, c, kLanes), offset + c, group, c);
      }
      if (c < norm.C) {
        visit(ChannelNorm<false>(norm, group, c, norm.C - c), offset + c, group, c);
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
    const Floats factor = hn::Mul(channel.scale, channel.inverse);
    Floats mean_g = zeros(), mean_product = zeros();
    if (sums != nullptr) {
      const Floats share = broadcast(1.0F / static_cast<float>(counts.of[group]));
      const float* from = sums + group * 2 * norm.C + c;
      mean_g = hn::Mul(share, channel.channels.load_at(from));
      mean_product = hn::Mul(share, channel.channels.load_at(from + norm.C));
    }
    for (std::int64_t pixel = 0; pixel < norm.pixels; ++pixel, offset += norm.C) {
      const Floats xhat = channel.normalised(channel.channels.load_at(x + offset));
      const Floats g = channel.gradient(xhat, channel.channels.load_at(dy + offset));
      const Floats centred = hn::NegMulAdd(xhat, mean_product, hn::Sub(g, mean_g));
      channel.channels.store_at(hn::Mul(factor, centred), dx + offset);
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
