// Shuffles, votes and reductions of a warp.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "tests/simt/device.h"

namespace simt {

inline int signed_lane() { return static_cast<int>(lane()); }

template <typename T>
T shuffle(unsigned mask, T value, int source_lane, Site site) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                "shuffles take numbers of 4 or 8 bytes");
  T result;
  warp_shuffle(mask, &value, sizeof(T), source_lane, &result, site);
  return result;
}

template <typename F>
unsigned reduce(unsigned mask, unsigned value, F combine, Site site) {
  std::uint64_t values[32];
  warp_gather(mask, value, values, site);
  unsigned result = value;
  for (unsigned l = 0; l < 32; ++l) {
    if ((mask >> l & 1U) != 0 && l != lane()) {
      result = combine(result, static_cast<unsigned>(values[l]));
    }
  }
  return result;
}

}  // namespace simt

// A lane outside the segment of `width` lanes gives its own value back.
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, SIMT_SITE) {
  const int segment = simt::signed_lane() & ~(width - 1);
  return simt::shuffle(mask, value, segment + (source & (width - 1)), SIMT_SITE_ARGUMENT);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, SIMT_SITE) {
  const int first = simt::signed_lane() & ~(width - 1);
  const int source = simt::signed_lane() - static_cast<int>(delta);
  return simt::shuffle(mask, value, source < first ? simt::kOwnValue : source, SIMT_SITE_ARGUMENT);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, SIMT_SITE) {
  const int last = simt::signed_lane() | (width - 1);
  const int source = simt::signed_lane() + static_cast<int>(delta);
  return simt::shuffle(mask, value, source > last ? simt::kOwnValue : source, SIMT_SITE_ARGUMENT);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, SIMT_SITE) {
  const int last = simt::signed_lane() | (width - 1);
  const int source = simt::signed_lane() ^ bits;
  return simt::shuffle(mask, value, source > last ? simt::kOwnValue : source, SIMT_SITE_ARGUMENT);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, SIMT_SITE) {
  return simt::warp_ballot(mask, predicate != 0, SIMT_SITE_ARGUMENT);
}
inline int __any_sync(unsigned mask, int predicate, SIMT_SITE) {
  return simt::warp_ballot(mask, predicate != 0, SIMT_SITE_ARGUMENT) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate, SIMT_SITE) {
  return simt::warp_ballot(mask, predicate != 0, SIMT_SITE_ARGUMENT) == mask ? 1 : 0;
}
// The lanes of the mask that hold the same value.
template <typename T>
unsigned __match_any_sync(unsigned mask, T value, SIMT_SITE) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "matches take values of 4 or 8 bytes");
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  std::uint64_t values[32];
  simt::warp_gather(mask, std::bit_cast<Bits>(value), values, SIMT_SITE_ARGUMENT);
  unsigned same = 0;
  for (unsigned l = 0; l < 32; ++l) {
    if ((mask >> l & 1U) != 0 && values[l] == std::bit_cast<Bits>(value)) same |= 1U << l;
  }
  return same;
}
// Which lanes happen to run together says nothing that a program may build on.
unsigned __activemask() = delete;

inline unsigned __reduce_add_sync(unsigned mask, unsigned value, SIMT_SITE) {
  const auto sum = [](unsigned a, unsigned b) { return a + b; };
  return simt::reduce(mask, value, sum, SIMT_SITE_ARGUMENT);
}
inline int __reduce_add_sync(unsigned mask, int value, SIMT_SITE) {
  return static_cast<int>(
      __reduce_add_sync(mask, static_cast<unsigned>(value), site_file, site_line));
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value, SIMT_SITE) {
  const auto least = [](unsigned a, unsigned b) { return b < a ? b : a; };
  return simt::reduce(mask, value, least, SIMT_SITE_ARGUMENT);
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value, SIMT_SITE) {
  const auto greatest = [](unsigned a, unsigned b) { return a < b ? b : a; };
  return simt::reduce(mask, value, greatest, SIMT_SITE_ARGUMENT);
}
// Signed numbers in the order of unsigned ones: the sign bit flipped.
inline int __reduce_min_sync(unsigned mask, int value, SIMT_SITE) {
  const unsigned least =
      __reduce_min_sync(mask, static_cast<unsigned>(value) ^ 0x80000000U, site_file, site_line);
  return static_cast<int>(least ^ 0x80000000U);
}
inline int __reduce_max_sync(unsigned mask, int value, SIMT_SITE) {
  const unsigned greatest =
      __reduce_max_sync(mask, static_cast<unsigned>(value) ^ 0x80000000U, site_file, site_line);
  return static_cast<int>(greatest ^ 0x80000000U);
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned value, SIMT_SITE) {
  const auto both = [](unsigned a, unsigned b) { return a & b; };
  return simt::reduce(mask, value, both, SIMT_SITE_ARGUMENT);
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value, SIMT_SITE) {
  const auto either = [](unsigned a, unsigned b) { return a | b; };
  return simt::reduce(mask, value, either, SIMT_SITE_ARGUMENT);
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned value, SIMT_SITE) {
  const auto one = [](unsigned a, unsigned b) { return a ^ b; };
  return simt::reduce(mask, value, one, SIMT_SITE_ARGUMENT);
}
