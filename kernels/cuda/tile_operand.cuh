// One operand of the tile engine on its way: global memory -> registers -> shared memory. The
// registers hold the next step's elements while the current step is computed; rounding to the
// tile's precision happens on the way to shared memory, once per element.
#pragma once

#include <cstdint>
#include <numeric>

#include "kernels/cuda/mma.h"
#include "kernels/cuda/tile_patch.cuh"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

__device__ __forceinline__ void store_one(float x, float* to) { *to = x; }
__device__ __forceinline__ void store_one(float x, std::uint32_t* to) { *to = to_tf32(x); }
__device__ __forceinline__ void store_one(float x, std::uint16_t* to) {
  *to = static_cast<std::uint16_t>(pack_bf16(x, 0.0F));
}

__device__ __forceinline__ void store_four(const Floats<4>& x, float* to) {
  *reinterpret_cast<float4*>(to) = make_float4(x.at[0], x.at[1], x.at[2], x.at[3]);
}
__device__ __forceinline__ void store_four(const Floats<4>& x, std::uint32_t* to) {
  *reinterpret_cast<uint4*>(to) =
      make_uint4(to_tf32(x.at[0]), to_tf32(x.at[1]), to_tf32(x.at[2]), to_tf32(x.at[3]));
}
__device__ __forceinline__ void store_four(const Floats<4>& x, std::uint16_t* to) {
  *reinterpret_cast<uint2*>(to) =
      make_uint2(pack_bf16(x.at[0], x.at[1]), pack_bf16(x.at[2], x.at[3]));
}

// kOuterSize: the tile's BM for A, its BN for B.
template <typename Shape, int kOuterSize, typename Loader>
class Operand {
 public:
  using Layout = OperandLayout<Shape::kMath, Loader::kAlong, kOuterSize, Shape::BK>;
  using Element = typename Layout::Element;

  // outer_begin: of the tile.
  __device__ __forceinline__ Operand(const Loader& loader, const Place<Shape>& place,
                                     std::int64_t outer_begin)
      : loader_(loader),
        active_(place.warp < kOuterWarps * kKWarps),
        outer_(place.warp % kOuterWarps * Lanes::kOuter + Lanes::outer(place.lane)),
        k_(place.warp / kOuterWarps * Lanes::kK + Lanes::k(place.lane)) {
#pragma unroll
    for (int i = 0; i < kOuterItems; ++i) {
      outers_[i] = loader.outer(outer_begin + outer_ + i * kOuterStep);
    }
  }

  // Starts reading the step that begins at k_begin.
  __device__ __forceinline__ void fetch(std::int64_t k_begin) {
    if (!active_) return;
#pragma unroll
    for (int j = 0; j < kKItems; ++j) {
      const typename Loader::Inner inner = loader_.inner(k_begin + k_ + j * kKStep);
#pragma unroll
      for (int i = 0; i < kOuterItems; ++i) fetched_[j][i] = loader_.fetch(outers_[i], inner);
    }
  }

  // Puts what was fetched last into `tile`, of Layout.
  __device__ __forceinline__ void store(Element* tile) const {
    if (!active_) return;
#pragma unroll
    for (int j = 0; j < kKItems; ++j) {
#pragma unroll
      for (int i = 0; i < kOuterItems; ++i) {
        store(loader_.value(fetched_[j][i]),
              tile + Layout::offset(outer_ + i * kOuterStep, k_ + j * kKStep));
      }
    }
  }

 private:
  static constexpr int kWidth = Loader::kWidth;
  using Lanes = Patch<Shape::kMath, Loader::kAlong, kWidth>;
  static_assert(stores_without_conflict<Layout, Lanes, kWidth>());

  // The warps of a slice share the tile's patches: kOuterWarps x kKWarps of them, each every
  // kOuterWarps-th patch along the outer index. Rows come first, for the state per row is larger.
  static constexpr int kOuterPatches = kOuterSize / Lanes::kOuter;
  static constexpr int kKPatches = Shape::BK / Lanes::kK;
  static_assert(kOuterPatches * Lanes::kOuter == kOuterSize && kKPatches * Lanes::kK == Shape::BK);
  static constexpr int kOuterWarps = std::gcd(kOuterPatches, Shape::kSliceWarps);
  static constexpr int kKWarps = std::gcd(kKPatches, Shape::kSliceWarps / kOuterWarps);
  static constexpr int kOuterItems = kOuterPatches / kOuterWarps;
  static constexpr int kKItems = kKPatches / kKWarps;
  static constexpr int kOuterStep = kOuterWarps * Lanes::kOuter;
  static constexpr int kKStep = kKWarps * Lanes::kK;

  __device__ __forceinline__ static void store(const Floats<kWidth>& x, Element* to) {
    if constexpr (kWidth == 4 && Layout::kVectorStep == 1) {
      store_four(x, to);
    } else {
#pragma unroll
      for (int v = 0; v < kWidth; ++v) store_one(x.at[v], to + v * Layout::kVectorStep);
    }
  }

  const Loader& loader_;
  bool active_;
  int outer_, k_;  // this thread's first element within the tile
  typename Loader::Outer outers_[kOuterItems];
  typename Loader::Fetched fetched_[kKItems][kOuterItems];
};

}  // namespace gradflip
