// Which elements of an operand's tile the 32 lanes of a warp fetch and store together: a patch of
// the tile, one vector of kWidth elements per lane.
//
// A global request wants long runs of neighbours, a store to shared memory wants 32 banks. Five
// lane bits are dealt out to serve both: the bits in kAcross number the rows of the patch (across
// the vectors' direction), the others the vectors within a row. Vectors of four always fill whole
// 32-byte sectors. That no store conflicts is checked here, at compile time.
#pragma once

#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

template <Math kMath, Along kAlong, int kWidth>
constexpr int patch_across_bits() {
  constexpr bool kVectors = kWidth == 4;
  if (kMath == Math::kF32) {
    if (kAlong == Along::kK) return kVectors ? 0b01111 : 0b11000;
    return kVectors ? 0b00111 : 0b11100;
  }
  if (kTf32Fragments<kMath>) {
    if (kAlong == Along::kK) return kVectors ? 0b00111 : 0b11100;
    return kVectors ? 0b10110 : 0b11000;
  }
  return kVectors ? 0b01110 : 0b11100;
}

// The bits of `lane` that `mask` names, moved together.
constexpr int gather_bits(int lane, int mask) {
  int gathered = 0;
  int at = 0;
  for (int bit = 0; bit < 5; ++bit) {
    if ((mask >> bit & 1) == 0) continue;
    gathered |= (lane >> bit & 1) << at;
    ++at;
  }
  return gathered;
}

template <Math kMath, Along kAlong, int kWidth>
struct Patch {
  static_assert(kWidth == 1 || kWidth == 4);
  static constexpr int kAcross = patch_across_bits<kMath, kAlong, kWidth>();
  static constexpr int kRows = gather_bits(31, kAcross) + 1;  // all ones: the largest
  static constexpr int kRowElements = kWarpLanes / kRows * kWidth;
  static constexpr int kOuter = kAlong == Along::kK ? kRows : kRowElements;
  static constexpr int kK = kAlong == Along::kK ? kRowElements : kRows;

  static constexpr int row(int lane) { return gather_bits(lane, kAcross); }
  static constexpr int in_row(int lane) { return gather_bits(lane, ~kAcross) * kWidth; }
  static constexpr int outer(int lane) { return kAlong == Along::kK ? row(lane) : in_row(lane); }
  static constexpr int k(int lane) { return kAlong == Along::kK ? in_row(lane) : row(lane); }
};

// Whether the lanes that a store serves at once (all 32, or as many as 128 bytes hold) touch
// different banks, or the same word.
template <typename Layout, typename Patch, int kWidth>
constexpr bool stores_without_conflict() {
  constexpr int kElementBytes = sizeof(typename Layout::Element);
  constexpr int kBytes = Layout::kVectorStep == 1 ? kWidth * kElementBytes : kElementBytes;
  constexpr int kAtOnce = kBytes <= 4 ? kWarpLanes : 128 / kBytes;
  constexpr int kWords = kBytes <= 4 ? 1 : kBytes / 4;
  for (int lane = 0; lane < kWarpLanes; ++lane) {
    for (int other = lane / kAtOnce * kAtOnce; other < lane; ++other) {
      const int word = Layout::offset(Patch::outer(lane), Patch::k(lane)) * kElementBytes / 4;
      const int other_word =
          Layout::offset(Patch::outer(other), Patch::k(other)) * kElementBytes / 4;
      if (word == other_word) continue;
      for (int w = 0; w < kWords; ++w) {
        for (int v = 0; v < kWords; ++v) {
          if ((word + w) % 32 == (other_word + v) % 32) return false;
        }
      }
    }
  }
  return true;
}

}  // namespace gradflip
