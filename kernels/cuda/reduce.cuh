// Reductions over the lanes of a warp and the threads of a block, in a fixed order: the same values
// give the same bits. Every participant receives the result.
//
// Order  a butterfly: at each level a value meets that of the thread `distance` away, for distance
//        1, 2, 4, ... within a warp, and the warps' results in the same way. `operation` is
//        commutative, so both partners compute the same bits; it needs to be associative only up to
//        rounding.
// Cost   log2(threads) shuffles per four bytes of T; a block adds two barriers and a few hundred
//        bytes of shared memory.
//
//   const double loss = block_reduce<kThreads>(own_loss, Sum{});
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/cuda/simt.h"

namespace gradflip {

inline constexpr unsigned kWarpSize = 32;
inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;

struct Sum {
  template <typename T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};

// Of numbers; with a NaN the result is one of the operands, but which one is not said.
struct Minimum {
  template <typename T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

// The value of the lane whose number differs in the bits of `distance`. T is trivially copyable and
// a multiple of four bytes.
template <typename T>
__device__ __forceinline__ T shuffle_xor(T value, unsigned distance) {
  const int mask = static_cast<int>(distance);
  if constexpr (std::is_arithmetic_v<T>) {
    return __shfl_xor_sync(kAllLanes, value, mask);
  } else {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint32_t) == 0);
    constexpr unsigned kWords = sizeof(T) / sizeof(std::uint32_t);
    std::uint32_t words[kWords];
    memcpy(words, &value, sizeof value);
#pragma unroll
    for (unsigned word = 0; word < kWords; ++word) {
      words[word] = __shfl_xor_sync(kAllLanes, words[word], mask);
    }
    memcpy(&value, words, sizeof value);
    return value;
  }
}

// Over each aligned group of kLanes lanes, a power of two. All 32 lanes of the warp take part.
template <unsigned kLanes = kWarpSize, typename T, typename Operation>
__device__ __forceinline__ T warp_reduce(T value, Operation operation) {
  static_assert(kLanes > 0 && kLanes <= kWarpSize && (kLanes & (kLanes - 1)) == 0);
#pragma unroll
  for (unsigned distance = 1; distance < kLanes; distance *= 2) {
    value = operation(value, shuffle_xor(value, distance));
  }
  return value;
}

// Over the block's kThreads = blockDim.x threads, a power of two of at least 32 (blockDim.y and z
// are 1). A barrier: all threads take part, and shared memory written before is visible after it.
template <unsigned kThreads, typename T, typename Operation>
__device__ __forceinline__ T block_reduce(T value, Operation operation) {
  constexpr unsigned kWarps = kThreads / kWarpSize;
  static_assert(kThreads % kWarpSize == 0 && kThreads <= 1024 && (kWarps & (kWarps - 1)) == 0);
  value = warp_reduce(value, operation);
  if constexpr (kWarps > 1) {
    GRADFLIP_SHARED(T, of_warp, [kWarps]);
    const unsigned lane = threadIdx.x % kWarpSize;
    __syncthreads();  // the block's previous reduction may still be reading
    if (lane == 0) of_warp[threadIdx.x / kWarpSize] = value;
    __syncthreads();
    // Every warp for itself: as fast as one warp, and without a third barrier to hand it round.
    value = warp_reduce<kWarps>(of_warp[lane % kWarps], operation);
  }
  return value;
}

}  // namespace gradflip
