// Loaders of the tile engine for a convolution whose pictures are bytes of a data set, taken by the
// step's own sample: x never exists as a matrix, nor as floats.
//
//   y (positions, K) = patches (positions, R * run) * filter (R * run, K)
// A row of the filter is a run of S*C neighbouring elements of a picture's row. Runs are padded to
// whole vectors of four: 15 elements of a 5 x 5 filter on three channels become 16, one step of the
// tile, and the five rows take the five steps that 75 taps take in any case. So an element is found
// by its run, once per step, and four of them are two words of memory and one shift, where floats
// of three channels, which no vector fits, are four reads.
#pragma once

#include <cstdint>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cuda/conv_block_tiles.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/tile_conv.cuh"
#include "kernels/cuda/tile_dense.cuh"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

// One of the step's pictures, read and written in one go. replicated: one stored channel stands
// for all.
struct alignas(16) SampledPicture {
  const std::uint8_t* bytes;
  bool replicated;
};

// How bytes of a channel become floats, read in one go: (byte - mean) * scale.
struct alignas(8) ChannelNorm {
  float mean, scale;
};

// What a block knows of its pictures, in its shared memory: those from number first_picture on, and
// the norm of each element of a filter's row. Reached by a function, because a loader that held
// pointers to it would be a copy of the kernel's argument, in registers.
struct SampledBlock {
  static constexpr int kMostPictures = 128, kMostElements = 256;
  std::int64_t first_picture;
  SampledPicture pictures[kMostPictures];
  ChannelNorm norms[kMostElements];
};
__device__ __forceinline__ SampledBlock& sampled_block() {
  GRADFLIP_SHARED(SampledBlock, block, [1]);
  return block[0];
}

// How the filter's taps are numbered: k = r * padded + element, element = s*C + c.
struct FilterRuns {
  Divisor padded, C;
  int elements, rows, channels;

  explicit FilterRuns(const Conv2dShape& conv)
      : padded(round_up(conv.S * conv.C, 4)),
        C(conv.C),
        elements(static_cast<int>(conv.S * conv.C)),
        rows(static_cast<int>(conv.R)),
        channels(static_cast<int>(conv.C)) {}
};

// (x - mean) * scale under the filter. kVector 4 reads words: every picture begins at and takes a
// multiple of four bytes. Positions as for PatchLoader; the pictures are sampled_block()'s.
template <int kVector, typename Positions>
struct SampledPatchLoader {
  static constexpr Along kAlong = Along::kK;
  static constexpr int kWidth = kVector;

  struct Outer {
    SampledPicture picture;
    int h, w;  // of the tap (0, 0), in the picture
  };
  struct Inner {
    int h;               // of the filter's row
    int element;         // the vector's first, within the run
    int pixel, channel;  // of that element
  };
  // Words of memory, and what to make of them, packed into one register: the first byte's shift,
  // whether one channel is replicated, which elements are inside, and Inner's element and channel.
  struct Fetched {
    std::uint32_t words[kWidth == 1 ? 1 : 2];
    std::uint32_t how;
  };
  static constexpr std::uint32_t kReplicated = 1U << 5U;
  static constexpr unsigned kInside = 6, kElement = 10, kChannel = 18;  // the fields' first bits

  Positions positions;
  FilterRuns runs;
  int H, W, stride_h, stride_w, pad_h, pad_w, dilation_h;
  std::int64_t taps;  // padded

  SampledPatchLoader(const Conv2dShape& shape, const Positions& rows)
      : positions(rows),
        runs(shape),
        H(static_cast<int>(shape.H)),
        W(static_cast<int>(shape.W)),
        stride_h(static_cast<int>(shape.stride_h)),
        stride_w(static_cast<int>(shape.stride_w)),
        pad_h(static_cast<int>(shape.pad_h)),
        pad_w(static_cast<int>(shape.pad_w)),
        dilation_h(static_cast<int>(shape.dilation_h)),
        taps(shape.R * round_up(shape.S * shape.C, 4)) {}

  __device__ __forceinline__ Outer outer(std::int64_t i) const {
    const OutputPosition at = positions(i);
    if (at.n < 0) return {{nullptr, false}, kFarOutside, 0};
    const SampledBlock& block = sampled_block();
    return {block.pictures[at.n - block.first_picture], at.p * stride_h - pad_h,
            at.q * stride_w - pad_w};
  }

  __device__ __forceinline__ Inner inner(std::int64_t k) const {
    const Quotient row = runs.padded.divide(k);
    if (row.quotient >= runs.rows) return {kFarOutside, 0, 0, 0};
    const Quotient pixel = runs.C.divide(row.remainder);
    return {static_cast<int>(row.quotient) * dilation_h, static_cast<int>(row.remainder),
            static_cast<int>(pixel.quotient), static_cast<int>(pixel.remainder)};
  }

  __device__ __forceinline__ Fetched fetch(const Outer& outer, const Inner& inner) const {
    const int h = outer.h + inner.h;
    if (static_cast<unsigned>(h) >= static_cast<unsigned>(H)) return {};
    Fetched fetched{{},
                    static_cast<std::uint32_t>(inner.element) << kElement |
                        static_cast<std::uint32_t>(inner.channel) << kChannel};
    const int w = outer.w + inner.pixel;
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      const bool inside =
          inner.element + v < runs.elements && in_row(w + (inner.channel + v) / runs.channels);
      if (inside) fetched.how |= 1U << (kInside + v);
    }
    if (outer.picture.replicated) {
      fetched.how |= kReplicated;
      const std::uint8_t* row = outer.picture.bytes + h * W;
#pragma unroll
      for (int pixel = 0; pixel < (kWidth == 1 ? 1 : 2); ++pixel) {
        if (in_row(w + pixel)) fetched.words[pixel] = row[w + pixel];
      }
    } else {
      read_run(outer.picture.bytes, (h * W + w) * runs.channels + inner.channel, fetched);
    }
    return fetched;
  }

  __device__ __forceinline__ Floats<kWidth> value(const Fetched& fetched) const {
    const ChannelNorm* norms = sampled_block().norms + (fetched.how >> kElement & 0xFFU);
    Floats<kWidth> x;
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      const bool inside = (fetched.how >> (kInside + v) & 1U) != 0;
      const ChannelNorm norm = norms[v];
      x.at[v] = inside ? (static_cast<float>(byte(fetched, v)) - norm.mean) * norm.scale : 0.0F;
    }
    return x;
  }

 private:
  __device__ __forceinline__ bool in_row(int w) const {
    return static_cast<unsigned>(w) < static_cast<unsigned>(W);
  }

  __device__ __forceinline__ std::uint32_t byte(const Fetched& fetched, int v) const {
    if constexpr (kWidth == 1) {
      return fetched.words[0];
    } else {
      if ((fetched.how & kReplicated) != 0) {
        const int channel = static_cast<int>(fetched.how >> kChannel & 0xFFU) + v;
        return channel >= runs.channels ? fetched.words[1] : fetched.words[0];
      }
      const std::uint64_t both = std::uint64_t{fetched.words[1]} << 32U | fetched.words[0];
      return static_cast<std::uint32_t>(both >> ((fetched.how & 31U) + 8 * v)) & 0xFFU;
    }
  }

  // The bytes from `first` on; outside the picture, where they are not valid, any other.
  __device__ __forceinline__ void read_run(const std::uint8_t* picture, int first,
                                           Fetched& fetched) const {
    const int last = H * W * runs.channels - 1;
    if constexpr (kWidth == 1) {
      fetched.words[0] = picture[min(max(first, 0), last)];
    } else {
      const auto* words = reinterpret_cast<const std::uint32_t*>(picture);
      const int word = first >> 2;
      fetched.words[0] = words[min(max(word, 0), last / 4)];
      fetched.words[1] = words[min(max(word + 1, 0), last / 4)];
      fetched.how |= static_cast<std::uint32_t>(first & 3) * 8;
    }
  }
};

// filter (R*S*C, K) with its rows of taps padded in the same way.
struct PaddedFilterLoader : DenseLoader<Along::kOuter> {
  FilterRuns runs;

  PaddedFilterLoader(const Conv2dShape& conv, const float* filter)
      : DenseLoader(filter, conv.R * conv.S * conv.C, conv.K), runs(conv) {}

  __device__ __forceinline__ Inner inner(std::int64_t k) const {
    const Quotient row = runs.padded.divide(k);
    if (row.remainder >= runs.elements) return {nullptr};
    return DenseLoader::inner(row.quotient * runs.elements + row.remainder);
  }
};

}  // namespace gradflip
