// Channels lie next to each other. Where there are fewer than lanes of a vector, several pixels are
// a line, and a channel's sums those of its columns: pictures have one channel or three.
#include "kernels/instance_norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/instance_norm.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// A picture as lines of numbers of which each column is of one channel; the last line may be short.
struct Lines {
  std::int64_t size = 0, width = 0;
};

// visit(offset, count) for a vector of columns from `column` on, in every line.
template <typename Visit>
HWY_INLINE void for_each_line(const Lines& lines, std::int64_t column, const Visit& visit) {
  const std::int64_t full = lines.size / lines.width * lines.width;
  const std::int64_t count = std::min(kLanes, lines.width - column);
  for (std::int64_t line = 0; line < full; line += lines.width) visit(line + column, count);
  const std::int64_t rest = std::min(count, lines.size - full - column);
  if (rest > 0) visit(full + column, rest);
}

HWY_INLINE Floats load_some(std::int64_t count, const float* p) {
  return count == kLanes ? load(p) : load_first(count, p);
}

HWY_INLINE void store_some(std::int64_t count, Floats v, float* p) {
  if (count == kLanes) return store(v, p);
  store_first(count, v, p);
}

HWY_INLINE Floats first_lanes(std::int64_t count, Floats v) {
  return hn::IfThenElseZero(hn::FirstN(FloatTag(), static_cast<std::size_t>(count)), v);
}

HWY_INLINE Floats column_sums(const Lines& lines, std::int64_t column, const float* x) {
  Floats sum = zeros();
  for_each_line(lines, column, [&](std::int64_t at, std::int64_t count) HWY_ATTR {
    sum = hn::Add(sum, load_some(count, x + at));
  });
  return sum;
}

// Of two functions of the same numbers.
struct TwoSums {
  Floats first, second;
};

HWY_INLINE TwoSums deviation_sums(const Lines& lines, std::int64_t column, const float* x,
                                  Floats mean) {
  TwoSums sums{zeros(), zeros()};
  for_each_line(lines, column, [&](std::int64_t at, std::int64_t count) HWY_ATTR {
    const Floats deviation = first_lanes(count, hn::Sub(load_some(count, x + at), mean));
    sums.first = hn::Add(sums.first, deviation);
    sums.second = hn::MulAdd(deviation, deviation, sums.second);
  });
  return sums;
}

HWY_INLINE TwoSums gradient_sums(const Lines& lines, std::int64_t column, const float* y,
                                 const float* dy) {
  TwoSums sums{zeros(), zeros()};
  for_each_line(lines, column, [&](std::int64_t at, std::int64_t count) HWY_ATTR {
    const Floats arriving = load_some(count, dy + at);
    sums.first = hn::Add(sums.first, arriving);
    sums.second = hn::MulAdd(arriving, load_some(count, y + at), sums.second);
  });
  return sums;
}

// How a picture's columns are summed up, by channel.
class Channels {
 public:
  explicit Channels(const InstanceNormShape& shape)
      : C_(shape.C),
        lines_{shape.pixels * shape.C, shape.C < kLanes ? shape.C * kLanes : shape.C},
        share_(1.0F / static_cast<float>(shape.pixels)) {}

  const Lines& lines() const { return lines_; }

  // So many columns, a multiple of vectors, are summed up together: all that a channel has.
  std::int64_t band() const { return C_ < kLanes ? lines_.width : kLanes; }

  // From the sums of a band's columns to the means of their channels, in each column.
  HWY_INLINE void mean_by_channel(float* sums) const {
    if (C_ >= kLanes) {
      for (std::int64_t i = 0; i < kLanes; ++i) sums[i] *= share_;
      return;
    }
    for (std::int64_t c = 0; c < C_; ++c) {
      float sum = 0.0F;
      for (std::int64_t i = c; i < lines_.width; i += C_) sum += sums[i];
      for (std::int64_t i = c; i < lines_.width; i += C_) sums[i] = sum * share_;
    }
  }

 private:
  std::int64_t C_;
  Lines lines_;
  float share_;
};

constexpr std::int64_t kMaxBand = kLanes * kLanes;

void instance_norm_forward_simd(const InstanceNormShape& shape, const float* x, float* y,
                                float* rstd) {
  const Channels channels(shape);
  const Lines& lines = channels.lines();
  alignas(64) float mean[kMaxBand], shift[kMaxBand], square[kMaxBand];
  for (std::int64_t n = 0; n < shape.N; ++n, x += lines.size, y += lines.size, rstd += shape.C) {
    for (std::int64_t first = 0; first < lines.width; first += channels.band()) {
      const std::int64_t end = std::min(first + channels.band(), lines.width);
      for (std::int64_t c = first; c < end; c += kLanes) {
        store(column_sums(lines, c, x), mean + c - first);
      }
      channels.mean_by_channel(mean);
      for (std::int64_t c = first; c < end; c += kLanes) {
        const TwoSums sums = deviation_sums(lines, c, x, load(mean + c - first));
        store(sums.first, shift + c - first);
        store(sums.second, square + c - first);
      }
      channels.mean_by_channel(shift);
      channels.mean_by_channel(square);
      for (std::int64_t c = first; c < end; c += kLanes) {
        const Floats off = load(shift + c - first), middle = load(mean + c - first);
        const Floats difference = hn::NegMulAdd(off, off, load(square + c - first));
        const Floats variance = hn::IfThenElse(hn::Lt(difference, zeros()), zeros(), difference);
        const Floats scale =
            hn::Div(broadcast(1.0F), hn::Sqrt(hn::Add(variance, broadcast(shape.eps))));
        for_each_line(lines, c, [&](std::int64_t at, std::int64_t count) HWY_ATTR {
          const Floats deviation = hn::Sub(hn::Sub(load_some(count, x + at), middle), off);
          store_some(count, hn::Mul(deviation, scale), y + at);
        });
        if (c < shape.C) store_some(std::min(kLanes, shape.C - c), scale, rstd + c);
      }
    }
  }
}

void instance_norm_backward_simd(const InstanceNormShape& shape, const float* y, const float* rstd,
                                 const float* dy, float* dx) {
  const Channels channels(shape);
  const Lines& lines = channels.lines();
  alignas(64) float mean[kMaxBand], along[kMaxBand], scales[kMaxBand];
  for (std::int64_t n = 0; n < shape.N;
       ++n, y += lines.size, dy += lines.size, dx += lines.size, rstd += shape.C) {
    for (std::int64_t first = 0; first < lines.width; first += channels.band()) {
      const std::int64_t end = std::min(first + channels.band(), lines.width);
      for (std::int64_t c = first; c < end; c += kLanes) {
        const TwoSums sums = gradient_sums(lines, c, y, dy);
        store(sums.first, mean + c - first);
        store(sums.second, along + c - first);
      }
      channels.mean_by_channel(mean);
      channels.mean_by_channel(along);
      for (std::int64_t c = first; c < end; ++c) scales[c - first] = rstd[c % shape.C];
      std::fill(scales + end - first, scales + (end - first + kLanes - 1) / kLanes * kLanes, 0.0F);
      for (std::int64_t c = first; c < end; c += kLanes) {
        const Floats middle = load(mean + c - first), slope = load(along + c - first);
        const Floats scale = load(scales + c - first);
        for_each_line(lines, c, [&](std::int64_t at, std::int64_t count) HWY_ATTR {
          const Floats centred = hn::Sub(load_some(count, dy + at), middle);
          const Floats left = hn::NegMulAdd(load_some(count, y + at), slope, centred);
          store_some(count, hn::Mul(scale, left), dx + at);
        });
      }
    }
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(instance_norm_forward_simd);
HWY_EXPORT(instance_norm_backward_simd);

void require_valid(const InstanceNormShape& shape) {
  GRADFLIP_REQUIRE(shape.N >= 0 && shape.pixels > 0 && shape.C > 0,
                   message("instance_norm: N is ", shape.N, " (>= 0), pixels are ", shape.pixels,
                           " (> 0), C is ", shape.C, " (> 0)"));
  GRADFLIP_REQUIRE(shape.eps > 0.0F, message("instance_norm: eps is ", shape.eps, ", must be > 0"));
}

void instance_norm_forward(Cpu /*ctx*/, const InstanceNormShape& shape, const float* x, float* y,
                           float* rstd) {
  require_valid(shape);
  HWY_DYNAMIC_DISPATCH(instance_norm_forward_simd)(shape, x, y, rstd);
}

void instance_norm_backward(Cpu /*ctx*/, const InstanceNormShape& shape, const float* y,
                            const float* rstd, const float* dy, float* dx) {
  require_valid(shape);
  HWY_DYNAMIC_DISPATCH(instance_norm_backward_simd)(shape, y, rstd, dy, dx);
}

}  // namespace gradflip
#endif  // HWY_ONCE
