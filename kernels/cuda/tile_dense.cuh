// Loader of the tile engine for a dense matrix in memory, either way round.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/tile_shape.cuh"
#include "kernels/host_device.h"

namespace gradflip {

// `lines` rows of `pitch` floats, one after the other. Along k, a line is one outer index (A stored
// (M,K), B stored (N,K)); along the outer index, a line is one k (A stored (K,M), B stored (K,N)).
template <Along kDirection>
struct DenseLoader {
  static constexpr Along kAlong = kDirection;
  static constexpr int kWidth = 4;

  struct Line {
    const float* begin;  // null: outside
  };
  struct Spot {
    std::int64_t at;  // within a line
    int count;        // elements from there on, at most 4; 0 or less: outside
  };
  using Outer = std::conditional_t<kAlong == Along::kK, Line, Spot>;
  using Inner = std::conditional_t<kAlong == Along::kK, Spot, Line>;
  using Fetched = Floats<4>;

  const float* data = nullptr;
  std::int64_t lines = 0, pitch = 0;
  bool vectors = false;  // every fourth element of every line begins 16 bytes

  DenseLoader() = default;
  GRADFLIP_HOST_DEVICE DenseLoader(const float* matrix, std::int64_t num_lines,
                                   std::int64_t line_pitch)
      : data(matrix),
        lines(num_lines),
        pitch(line_pitch),
        vectors(pitch % 4 == 0 && reinterpret_cast<std::uintptr_t>(data) % sizeof(float4) == 0) {}

  __device__ __forceinline__ Outer outer(std::int64_t i) const { return make<Outer>(i); }
  __device__ __forceinline__ Inner inner(std::int64_t k) const { return make<Inner>(k); }

  __device__ __forceinline__ Fetched fetch(const Outer& outer, const Inner& inner) const {
    if constexpr (kAlong == Along::kK) {
      return read(outer, inner);
    } else {
      return read(inner, outer);
    }
  }

  __device__ __forceinline__ Floats<4> value(const Fetched& fetched) const { return fetched; }

 private:
  template <typename Position>
  __device__ __forceinline__ Position make(std::int64_t index) const {
    if constexpr (std::is_same_v<Position, Line>) {
      return Line{index >= 0 && index < lines ? data + index * pitch : nullptr};
    } else {
      return Spot{index,
                  index >= pitch ? 0 : static_cast<int>(min(pitch - index, std::int64_t{4}))};
    }
  }

  __device__ __forceinline__ Floats<4> read(const Line& line, const Spot& spot) const {
    Floats<4> x{};
    if (line.begin == nullptr) return x;
    const float* from = line.begin + spot.at;
    if (vectors) {
      if (spot.count <= 0) return x;  // else four, as the pitch is a multiple of four
      return read_floats<4>(from);
    }
    // Four requests for the same sectors: the first brings them to L1 for the others.
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      if (v < spot.count) x.at[v] = from[v];
    }
    return x;
  }
};

}  // namespace gradflip
