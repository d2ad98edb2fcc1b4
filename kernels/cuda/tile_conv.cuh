// Loaders of the tile engine for convolutions: matrices that exist only as index arithmetic.
//
//   forward          y (NPQ, K) = patches (NPQ, RSC) * filter (RSC, K)
//   backward_filter  dfilter (RSC, K) = patches^T (RSC, NPQ) * dy (NPQ, K)
//   backward_data    dx (NHW, C) = gathered dy (NHW, RSK) * filter by input channel (RSK, C)
// filter and dy as plain matrices are DenseLoader's.
//
// Rows and columns are taken apart once per row, and once per step for the whole tile; per vector
// there remain two bounds and an addition. Bounds are int (extents, padding included, are at most
// kMostExtent), offsets are int64.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/conv2d.h"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/tile_shape.cuh"
#include "kernels/require.h"

namespace gradflip {

inline constexpr std::int64_t kMostExtent = (1 << 30) - 1;
// Where a row or a column begins that is outside whatever is added to it.
inline constexpr int kFarOutside = -(1 << 30);

// Throws std::invalid_argument where the loaders' index arithmetic would not do.
inline void require_extents(const Conv2dShape& shape) {
  for (const std::int64_t extent :
       {shape.H + 2 * shape.pad_h, shape.W + 2 * shape.pad_w, (shape.W + 2 * shape.pad_w) * shape.C,
        shape.Q() * shape.K, shape.stride_h, shape.stride_w}) {
    GRADFLIP_REQUIRE(extent <= kMostExtent,
                     message("conv2d: an extent is ", extent, ", CUDA takes up to ", kMostExtent));
  }
}

// Four elements at once if every pixel begins 16 bytes.
inline bool vectors_fit(std::int64_t channels, const float* data) {
  return channels % 4 == 0 && reinterpret_cast<std::uintptr_t>(data) % sizeof(float4) == 0;
}

// n < 0: outside.
struct OutputPosition {
  std::int64_t n;
  int p, q;
};

// Outputs in the order of memory. A kernel that wants another order brings its own.
struct RowMajorPositions {
  std::int64_t count = 0;
  Divisor P, Q;

  RowMajorPositions() = default;
  explicit RowMajorPositions(const Conv2dShape& shape)
      : count(shape.N * shape.P() * shape.Q()), P(shape.P()), Q(shape.Q()) {}

  __device__ __forceinline__ OutputPosition operator()(std::int64_t i) const {
    if (i >= count) return {-1, 0, 0};
    const Quotient row = Q.divide(i);
    const Quotient image = P.divide(row.quotient);
    return {image.quotient, static_cast<int>(image.remainder), static_cast<int>(row.remainder)};
  }
};

// x under the filter: element (position, tap) is x[n, p*stride_h - pad_h + r*dilation_h, .., c]
// with tap = (r*S + s)*C + c. Vectors run along taps, as C is innermost. Along::kK: positions by
// taps, A of forward; Along::kOuter: taps by positions, A of backward_filter.
template <Along kDirection, int kVector, typename Positions = RowMajorPositions>
struct PatchLoader {
  static constexpr Along kAlong = kDirection;
  static constexpr int kWidth = kVector;

  struct Position {
    std::int64_t offset;  // of the tap (0, 0, 0), which may be in the padding
    int h, w;
  };
  struct Tap {
    std::int64_t offset;
    int h, w;
  };
  using Outer = std::conditional_t<kAlong == Along::kK, Position, Tap>;
  using Inner = std::conditional_t<kAlong == Along::kK, Tap, Position>;
  using Fetched = Floats<kWidth>;

  const float* x = nullptr;
  Positions positions;
  Divisor S, C;
  std::int64_t taps = 0, image = 0;
  int H = 0, W = 0, row = 0;
  int stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;

  PatchLoader(const Conv2dShape& shape, const Positions& rows, const float* data)
      : x(data),
        positions(rows),
        S(shape.S),
        C(shape.C),
        taps(shape.R * shape.S * shape.C),
        image(shape.H * shape.W * shape.C),
        H(static_cast<int>(shape.H)),
        W(static_cast<int>(shape.W)),
        row(static_cast<int>(shape.W * shape.C)),
        stride_h(static_cast<int>(shape.stride_h)),
        stride_w(static_cast<int>(shape.stride_w)),
        pad_h(static_cast<int>(shape.pad_h)),
        pad_w(static_cast<int>(shape.pad_w)),
        dilation_h(static_cast<int>(shape.dilation_h)),
        dilation_w(static_cast<int>(shape.dilation_w)) {}

  __device__ __forceinline__ Outer outer(std::int64_t i) const { return make<Outer>(i); }
  __device__ __forceinline__ Inner inner(std::int64_t k) const { return make<Inner>(k); }

  __device__ __forceinline__ Fetched fetch(const Outer& outer, const Inner& inner) const {
    const auto h = static_cast<unsigned>(outer.h + inner.h);
    const auto w = static_cast<unsigned>(outer.w + inner.w);
    if (h >= static_cast<unsigned>(H) || w >= static_cast<unsigned>(W)) return {};
    return read_floats<kWidth>(x + (outer.offset + inner.offset));
  }

  __device__ __forceinline__ Floats<kWidth> value(const Fetched& fetched) const { return fetched; }

 private:
  template <typename Index>
  __device__ __forceinline__ Index make(std::int64_t index) const {
    if constexpr (std::is_same_v<Index, Position>) {
      return position(positions(index));
    } else {
      return tap(index);
    }
  }

  __device__ __forceinline__ Position position(const OutputPosition& at) const {
    if (at.n < 0) return {0, kFarOutside, 0};
    const int h = at.p * stride_h - pad_h;
    const int w = at.q * stride_w - pad_w;
    return {at.n * image + std::int64_t{h} * row + w * static_cast<int>(C.value()), h, w};
  }

  __device__ __forceinline__ Tap tap(std::int64_t index) const {
    if (index >= taps) return {0, kFarOutside, 0};
    const Quotient pixel = C.divide(index);
    const Quotient place = S.divide(pixel.quotient);
    const int h = static_cast<int>(place.quotient) * dilation_h;
    const int w = static_cast<int>(place.remainder) * dilation_w;
    return {std::int64_t{h} * row + w * static_cast<int>(C.value()) + pixel.remainder, h, w};
  }
};

// dy where an input pixel went: element (n*H*W + h*W + w, (r*S + s)*K + k) is dy[n,p,q,k] with
// p*stride_h = h + pad_h - r*dilation_h, and zero where no such p or q exists. A of backward_data.
template <int kVector>
struct OutputGradientLoader {
  static constexpr Along kAlong = Along::kK;
  static constexpr int kWidth = kVector;

  struct Outer {
    std::int64_t image;  // offset of dy[n]
    int h, w;            // in the padded image
  };
  struct Inner {
    int h, w, k;  // h and w: of the tap
  };
  using Fetched = Floats<kWidth>;

  const float* dy = nullptr;
  Divisor H, W, K, S, stride_h, stride_w;
  std::int64_t pixels = 0, taps = 0, image = 0;
  int P = 0, Q = 0, row = 0;
  int pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;
  bool strided = false;

  OutputGradientLoader(const Conv2dShape& shape, const float* data)
      : dy(data),
        H(shape.H),
        W(shape.W),
        K(shape.K),
        S(shape.S),
        stride_h(shape.stride_h),
        stride_w(shape.stride_w),
        pixels(shape.N * shape.H * shape.W),
        taps(shape.R * shape.S * shape.K),
        image(shape.P() * shape.Q() * shape.K),
        P(static_cast<int>(shape.P())),
        Q(static_cast<int>(shape.Q())),
        row(static_cast<int>(shape.Q() * shape.K)),
        pad_h(static_cast<int>(shape.pad_h)),
        pad_w(static_cast<int>(shape.pad_w)),
        dilation_h(static_cast<int>(shape.dilation_h)),
        dilation_w(static_cast<int>(shape.dilation_w)),
        strided(shape.stride_h != 1 || shape.stride_w != 1) {}

  __device__ __forceinline__ Outer outer(std::int64_t i) const {
    if (i >= pixels) return {0, kFarOutside, 0};
    const Quotient line = W.divide(i);
    const Quotient of_image = H.divide(line.quotient);
    return {of_image.quotient * image, static_cast<int>(of_image.remainder) + pad_h,
            static_cast<int>(line.remainder) + pad_w};
  }

  __device__ __forceinline__ Inner inner(std::int64_t k) const {
    if (k >= taps) return {-kFarOutside, 0, 0};
    const Quotient place = K.divide(k);
    const Quotient tap = S.divide(place.quotient);
    return {static_cast<int>(tap.quotient) * dilation_h,
            static_cast<int>(tap.remainder) * dilation_w, static_cast<int>(place.remainder)};
  }

  __device__ __forceinline__ Fetched fetch(const Outer& outer, const Inner& inner) const {
    int p = outer.h - inner.h;
    int q = outer.w - inner.w;
    if (p < 0 || q < 0) return {};
    if (strided) {
      const Quotient steps_h = stride_h.divide(p);
      const Quotient steps_w = stride_w.divide(q);
      if (steps_h.remainder != 0 || steps_w.remainder != 0) return {};
      p = static_cast<int>(steps_h.quotient);
      q = static_cast<int>(steps_w.quotient);
    }
    if (p >= P || q >= Q) return {};
    const int in_row = q * static_cast<int>(K.value()) + inner.k;
    return read_floats<kWidth>(dy + (outer.image + std::int64_t{p} * row + in_row));
  }

  __device__ __forceinline__ Floats<kWidth> value(const Fetched& fetched) const { return fetched; }
};

// filter[r,s,c,k] as ((r*S + s)*K + k, c): B of backward_data.
template <int kVector>
struct FilterByInputLoader {
  static constexpr Along kAlong = Along::kK;
  static constexpr int kWidth = kVector;

  struct Outer {
    std::int64_t offset;  // negative: outside
  };
  using Inner = Outer;
  using Fetched = Floats<kWidth>;

  const float* filter = nullptr;
  Divisor K;
  std::int64_t C = 0, taps = 0;

  FilterByInputLoader(const Conv2dShape& shape, const float* data)
      : filter(data), K(shape.K), C(shape.C), taps(shape.R * shape.S * shape.K) {}

  __device__ __forceinline__ Outer outer(std::int64_t c) const {
    return {c < C ? c * K.value() : -1};
  }
  __device__ __forceinline__ Inner inner(std::int64_t k) const {
    if (k >= taps) return {-1};
    const Quotient place = K.divide(k);
    return {place.quotient * C * K.value() + place.remainder};
  }

  __device__ __forceinline__ Fetched fetch(const Outer& outer, const Inner& inner) const {
    if (outer.offset < 0 || inner.offset < 0) return {};
    return read_floats<kWidth>(filter + (outer.offset + inner.offset));
  }

  __device__ __forceinline__ Floats<kWidth> value(const Fetched& fetched) const { return fetched; }
};

}  // namespace gradflip
