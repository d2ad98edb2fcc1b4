// The emulated twin of kernels/cuda/mma.h: the same functions and fragments, without PTX.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/cuda/simt.h"

namespace gradflip {

// f32 to tf32: to nearest, ties away from zero. Infinities and NaN stay what they are.
__forceinline__ std::uint32_t to_tf32(float x) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  constexpr std::uint32_t kDropped = 0x1fff;
  constexpr std::uint32_t kQuietNan = 0x7fffffff;
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & kExponent) == kExponent) return (bits << 9) != 0 ? kQuietNan & ~kDropped : bits;
  return (bits + (kDropped + 1) / 2) & ~kDropped;
}

// f32 to bf16 in the lower half: to nearest even. NaN gives the one that CUDA gives.
__forceinline__ std::uint32_t to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits << 1) > 0xff000000U) return 0x7fff;
  return (bits + 0x7fff + (bits >> 16 & 1U)) >> 16;
}

// Two f32 to bf16, to nearest even; `low` in the lower half.
__forceinline__ std::uint32_t pack_bf16(float low, float high) {
  return to_bf16(low) | to_bf16(high) << 16;
}

// d += a b: A 16x8 in tf32, B 8x8 in tf32, D 16x8 in f32. All 32 lanes.
__forceinline__ void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4],
                                      const std::uint32_t (&b)[2], SIMT_SITE) {
  ::simt::warp_mma_tf32(d, a, b, SIMT_SITE_ARGUMENT);
}

// d += a b: A 16x16 in bf16, B 16x8 in bf16, D 16x8 in f32. All 32 lanes.
__forceinline__ void mma_m16n8k16_bf16(float (&d)[4], const std::uint32_t (&a)[4],
                                       const std::uint32_t (&b)[2], SIMT_SITE) {
  ::simt::warp_mma_bf16(d, a, b, SIMT_SITE_ARGUMENT);
}

// Four 8x8 matrices of 16-bit elements from shared memory: lane l names row l % 8 of matrix l / 8,
// 16 bytes, aligned. Register j holds of matrix j what a fragment needs; with kTransposed, of its
// transpose. All 32 lanes.
template <bool kTransposed = false>
__forceinline__ void ldmatrix_x4(std::uint32_t (&matrices)[4], const void* row, SIMT_SITE) {
  ::simt::warp_ldmatrix(matrices, row, kTransposed, SIMT_SITE_ARGUMENT);
}

// Copies kBytes (4, 8 or 16, both addresses aligned to it) from global to shared memory in the
// background; of them `source_bytes` are read and the rest is zero. Only cp_async_wait makes them
// visible to this thread, and only a barrier after that to others.
template <int kBytes>
__forceinline__ void cp_async(void* shared, const void* global, int source_bytes = kBytes,
                              SIMT_SITE) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  ::simt::async_copy(shared, global, kBytes, static_cast<std::size_t>(source_bytes),
                     SIMT_SITE_ARGUMENT);
}

// Closes a group of the copies issued since the last one.
__forceinline__ void cp_async_commit() { ::simt::async_copy_commit(); }

// Waits until at most kPending of this thread's newest groups are still under way.
template <int kPending>
__forceinline__ void cp_async_wait(SIMT_SITE) {
  static_assert(kPending >= 0);
  ::simt::async_copy_wait(kPending, SIMT_SITE_ARGUMENT);
}

}  // namespace gradflip
