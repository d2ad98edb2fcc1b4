// What batch normalisation (batch_norm.h) does to a vector of channels, per SIMD target (see simd.h).

#include "kernels/cpu/simd.h"  // before the guard: it switches targets

#if defined(GRADFLIP_KERNELS_CPU_CHANNEL_NORM_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADFLIP_KERNELS_CPU_CHANNEL_NORM_H
#undef GRADFLIP_KERNELS_CPU_CHANNEL_NORM_H
#else
#define GRADFLIP_KERNELS_CPU_CHANNEL_NORM_H
#endif

#include "kernels/batch_norm.h"
#include "kernels/moments.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

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

// rectifier.h for vectors. Made once for a kernel: which parts it needs does not change.
struct RectifierVectors {
  HWY_INLINE explicit RectifierVectors(const Rectifier& rectifier)
      : slope(broadcast(rectifier.slope)),
        cap(broadcast(rectifier.cap)),
        dead(rectifier.slope == 0.0F),
        caps(rectifier.cap < kIdentity.cap),
        rectifies(rectifier.slope != 1.0F || caps) {}

  // A comparison that a NaN fails, so that it passes.
  HWY_INLINE Floats rectified(Floats value) const {
    if (!rectifies) return value;
    const auto below = hn::Le(value, zeros());
    const Floats high = caps ? hn::IfThenElse(hn::Ge(value, cap), cap, value) : value;
    return dead ? hn::IfThenZeroElse(below, high)
                : hn::IfThenElse(below, hn::Mul(slope, value), high);
  }
  HWY_INLINE Floats gradient(Floats value, Floats dy) const {
    if (!rectifies) return dy;
    const auto below = hn::Le(value, zeros());
    const Floats high = caps ? hn::IfThenZeroElse(hn::Ge(value, cap), dy) : dy;
    return dead ? hn::IfThenZeroElse(below, high) : hn::IfThenElse(below, hn::Mul(slope, dy), high);
  }

  Floats slope, cap;
  bool dead, caps, rectifies;
};

// What a vector of channels does to its values.
template <bool kWhole>
struct ChannelNorm {
  HWY_INLINE ChannelNorm(const BatchNorm& norm, const RectifierVectors& rectifier_vectors,
                         int group, std::int64_t c, std::int64_t count)
      : channels{count},
        mean(channels.load_at(norm.moments + group * kMoments * norm.C + c)),
        inverse(channels.load_at(norm.moments + (group * kMoments + 2) * norm.C + c)),
        scale(channels.load_at(norm.scale[group] + c)),
        shift(channels.load_at(norm.shift[group] + c)),
        rectifier(rectifier_vectors) {}

  HWY_INLINE Floats normalised(Floats x) const { return hn::Mul(hn::Sub(x, mean), inverse); }
  HWY_INLINE Floats unrectified(Floats xhat) const { return hn::MulAdd(xhat, scale, shift); }
  HWY_INLINE Floats rectified(Floats value) const { return rectifier.rectified(value); }
  // Behind the rectifier, of what arrives there.
  HWY_INLINE Floats gradient(Floats xhat, Floats dy) const {
    return rectifier.gradient(unrectified(xhat), dy);
  }

  Channels<kWhole> channels;
  Floats mean, inverse, scale, shift;
  RectifierVectors rectifier;
};

// The gradient of x, from that behind the rectifier. share: one over the count of the channels'
// values.
template <bool kWhole>
struct ChannelNormBackward {
  HWY_INLINE ChannelNormBackward(const ChannelNorm<kWhole>& channel, float share, const float* sums,
                                 std::int64_t C, int group, std::int64_t c)
      : factor(hn::Mul(channel.scale, channel.inverse)), mean_g(zeros()), mean_product(zeros()) {
    if (sums == nullptr) return;
    const float* from = sums + group * 2 * C + c;
    mean_g = hn::Mul(broadcast(share), channel.channels.load_at(from));
    mean_product = hn::Mul(broadcast(share), channel.channels.load_at(from + C));
  }

  HWY_INLINE Floats dx(Floats xhat, Floats g) const {
    return hn::Mul(factor, hn::NegMulAdd(xhat, mean_product, hn::Sub(g, mean_g)));
  }

  Floats factor, mean_g, mean_product;
};

// One over the values of each channel that a group has.
HWY_INLINE float share_of(const BatchNormCounts& counts, int group) {
  return 1.0F / static_cast<float>(counts.of[group]);
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
