// Sizes of the tile engine (tile_gemm.cuh): the tile of C that a block computes, and how the tiles
// of A and B lie in shared memory.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/simt.h"
#include "kernels/math_mode.h"

namespace gradflip {

inline constexpr int kWarpLanes = 32;

// A block computes BM x BN of C, BK deep at a time. Its warps form kSlices groups; a group holds
// the whole tile, kWarpsM x kWarpsN warps of WM x WN each, and takes every kSlices-th step of K.
// Slices pay where C has too few tiles to fill the device and K is long; a slice is then one warp,
// so that the steps of its loop need no block barrier. The sums of the slices are added in order.
template <Math kMode, int kM, int kN, int kWarpRows, int kWarpColumns, int kSliceCount = 1>
struct Tile {
  static constexpr Math kMath = kMode;
  static constexpr int BM = kM, BN = kN;
  // Two steps of the tf32 instruction, one of bf16: a deeper step would hold twice the registers
  // for elements under way, a shallower one would wait for memory twice as often.
  static constexpr int BK = 16;
  static constexpr int kWarpsM = kWarpRows, kWarpsN = kWarpColumns, kSlices = kSliceCount;
  static constexpr int WM = BM / kWarpsM, WN = BN / kWarpsN;
  static constexpr int kSliceWarps = kWarpsM * kWarpsN;
  static constexpr int kThreads = kWarpLanes * kSliceWarps * kSlices;

  static_assert(WM * kWarpsM == BM && WN * kWarpsN == BN && kThreads <= 1024);
  static_assert(kSlices == 1 || kSliceWarps == 1, "slices of several warps need a block barrier");
  static_assert(WN % 16 == 0 && WM % (kMath == Math::kF32 ? 32 : 16) == 0);
};

// The size of a tile, smaller in tf32x3: its split operands take the registers of large sums.
template <Math kMath>
constexpr int large_tile(int size) {
  return kMath == Math::kTf32x3 ? 32 : size;
}

// What the calling thread is within its block.
template <typename Shape>
struct Place {
  int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  int slice = static_cast<int>(threadIdx.x) / kWarpLanes / Shape::kSliceWarps;
  int warp = static_cast<int>(threadIdx.x) / kWarpLanes % Shape::kSliceWarps;
  int row = warp / Shape::kWarpsN * Shape::WM;  // of the warp's part of the tile
  int column = warp % Shape::kWarpsN * Shape::WN;
};

// Along which index an operand's neighbours in memory run: k, or the other one ("outer": m of A,
// n of B).
enum class Along { kK, kOuter };

template <int kWidth>
struct Floats {
  float at[kWidth];
};

// One read: of four, `from` begins 16 bytes.
template <int kWidth>
__device__ __forceinline__ Floats<kWidth> read_floats(const float* from) {
  static_assert(kWidth == 1 || kWidth == 4);
  if constexpr (kWidth == 4) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    return {four.x, four.y, four.z, four.w};
  } else {
    return {*from};
  }
}

// What other blocks of the same launch wrote: past the first-level cache, which may hold older
// contents.
template <int kWidth>
__device__ __forceinline__ Floats<kWidth> read_floats_uncached(const float* from) {
  static_assert(kWidth == 1 || kWidth == 4);
  if constexpr (kWidth == 4) {
    const float4 four = __ldcg(reinterpret_cast<const float4*>(from));
    return {four.x, four.y, four.z, four.w};
  } else {
    return {__ldcg(from)};
  }
}

// The type of an element in shared memory, where it is rounded already.
// In tf32x3 it is not: fragments are split as they are read.
template <Math kMath>
using StagedElement =
    std::conditional_t<kMath == Math::kF32 || kMath == Math::kTf32x3, float,
                       std::conditional_t<kMath == Math::kTf32, std::uint32_t, std::uint16_t>>;

// The modes whose products are those of tf32 fragments.
template <Math kMath>
inline constexpr bool kTf32Fragments = kMath == Math::kTf32 || kMath == Math::kTf32x3;

// An operand's tile in shared memory, outer index by BK. Tensor cores read both orders as they
// are; plain f32 code reads rows of the outer index, four floats at a time. The padding of a row
// spreads what lanes touch at once over all banks: fragment reads step by rows, and every read
// here, ldmatrix or not, is free of conflicts.
template <Math kMath, Along kAlong, int kOuterSize, int BK>
struct OperandLayout {
  using Element = StagedElement<kMath>;
  static constexpr bool kOuterMajor = kMath != Math::kF32 && kAlong == Along::kK;
  static constexpr int kPadding =
      kMath == Math::kBf16 || (kTf32Fragments<kMath> && !kOuterMajor) ? 8 : 4;
  static constexpr int kPitch = (kOuterMajor ? BK : kOuterSize) + kPadding;
  static constexpr int kElements = (kOuterMajor ? kOuterSize : BK) * kPitch;
  static constexpr int kBytes = kElements * static_cast<int>(sizeof(Element));
  // From an element to the next one of the same vector.
  static constexpr int kVectorStep = kOuterMajor == (kAlong == Along::kK) ? 1 : kPitch;

  static constexpr int offset(int outer, int k) {
    return kOuterMajor ? outer * kPitch + k : k * kPitch + outer;
  }
};

// Calls function.operator()<Math>().
template <typename Function>
void with_math(Math math, const Function& function) {
  switch (math) {
    case Math::kF32:
      return function.template operator()<Math::kF32>();
    case Math::kTf32:
      return function.template operator()<Math::kTf32>();
    case Math::kBf16:
      return function.template operator()<Math::kBf16>();
    case Math::kTf32x3:
      return function.template operator()<Math::kTf32x3>();
  }
}

constexpr std::int64_t round_up(std::int64_t size, std::int64_t unit) {
  return (size + unit - 1) / unit * unit;
}

constexpr std::int64_t tiles_of(std::int64_t size, std::int64_t tile) {
  return round_up(size, tile) / tile;
}

}  // namespace gradflip
