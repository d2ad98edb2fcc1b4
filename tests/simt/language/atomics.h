// Atomic functions. One operating-system thread runs all CUDA threads and none is pre-empted, so a
// read and a write in a row are atomic; the emulator is told so that a race checker can tell them
// from plain accesses. Inlined always: the address that the checker gets is then the kernel's.
#pragma once

#include <type_traits>

#include "tests/simt/device.h"
#include "tests/simt/language/qualifiers.h"

namespace simt {

template <typename T, typename F>
__forceinline__ T atomic_update(T* address, F next_of, Site site) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                "atomics take numbers of 4 or 8 bytes");
  T old;
  atomic_begin(address, sizeof(T), &old, site);
  const T next = next_of(old);
  atomic_end(address, sizeof(T), &next);
  return old;
}

}  // namespace simt

// The operand converts to the type of the address, as in CUDA's overloads.
template <typename T>
__forceinline__ T atomicAdd(T* address, std::type_identity_t<T> value, SIMT_SITE) {
  return simt::atomic_update(
      address, [value](T old) { return static_cast<T>(old + value); }, SIMT_SITE_ARGUMENT);
}
template <typename T>
__forceinline__ T atomicSub(T* address, std::type_identity_t<T> value, SIMT_SITE) {
  static_assert(std::is_integral_v<T>, "CUDA has no atomicSub on floating-point numbers");
  return simt::atomic_update(
      address, [value](T old) { return static_cast<T>(old - value); }, SIMT_SITE_ARGUMENT);
}
template <typename T>
__forceinline__ T atomicExch(T* address, std::type_identity_t<T> value, SIMT_SITE) {
  return simt::atomic_update(
      address, [value](T) { return value; }, SIMT_SITE_ARGUMENT);
}
template <typename T>
__forceinline__ T atomicCAS(T* address, std::type_identity_t<T> expected,
                            std::type_identity_t<T> value, SIMT_SITE) {
  static_assert(std::is_integral_v<T>, "CUDA has no atomicCAS on floating-point numbers");
  return simt::atomic_update(
      address, [expected, value](T old) { return old == expected ? value : old; },
      SIMT_SITE_ARGUMENT);
}
template <typename T>
__forceinline__ T atomicMin(T* address, std::type_identity_t<T> value, SIMT_SITE) {
  static_assert(std::is_integral_v<T>, "CUDA has no atomicMin on floating-point numbers");
  return simt::atomic_update(
      address, [value](T old) { return value < old ? value : old; }, SIMT_SITE_ARGUMENT);
}
template <typename T>
__forceinline__ T atomicMax(T* address, std::type_identity_t<T> value, SIMT_SITE) {
  static_assert(std::is_integral_v<T>, "CUDA has no atomicMax on floating-point numbers");
  return simt::atomic_update(
      address, [value](T old) { return old < value ? value : old; }, SIMT_SITE_ARGUMENT);
}
template <typename T>
__forceinline__ T atomicAnd(T* address, std::type_identity_t<T> value, SIMT_SITE) {
  return simt::atomic_update(
      address, [value](T old) { return old & value; }, SIMT_SITE_ARGUMENT);
}
template <typename T>
__forceinline__ T atomicOr(T* address, std::type_identity_t<T> value, SIMT_SITE) {
  return simt::atomic_update(
      address, [value](T old) { return old | value; }, SIMT_SITE_ARGUMENT);
}
template <typename T>
__forceinline__ T atomicXor(T* address, std::type_identity_t<T> value, SIMT_SITE) {
  return simt::atomic_update(
      address, [value](T old) { return old ^ value; }, SIMT_SITE_ARGUMENT);
}
// Counts up to `last` and then starts again from 0.
__forceinline__ unsigned atomicInc(unsigned* address, unsigned last, SIMT_SITE) {
  return simt::atomic_update(
      address, [last](unsigned old) { return old >= last ? 0U : old + 1; }, SIMT_SITE_ARGUMENT);
}
// Counts down to 0 and then starts again from `last`.
__forceinline__ unsigned atomicDec(unsigned* address, unsigned last, SIMT_SITE) {
  return simt::atomic_update(
      address, [last](unsigned old) { return old == 0 || old > last ? last : old - 1; },
      SIMT_SITE_ARGUMENT);
}
