// What batch normalisation (batch_norm.h) does to a value, for its kernels.
#pragma once

#include <cstdint>

#include "kernels/batch_norm.h"
#include "kernels/cuda/simt.h"
#include "kernels/moments.h"

namespace gradflip {

// One over the values of each channel that a group has.
struct Shares {
  float of[kMaxRowGroups];

  // An index that is not known would put the array into local memory.
  __device__ __forceinline__ float at(int group) const {
    float share = of[0];
#pragma unroll
    for (int i = 1; i < kMaxRowGroups; ++i) share = i == group ? of[i] : share;
    return share;
  }
};

__device__ __forceinline__ float normalised(const BatchNorm& norm, int group, std::int64_t c,
                                            float x) {
  const float* moments = norm.moments + group * kMoments * norm.C + c;
  return (x - moments[0]) * moments[2 * norm.C];
}

__device__ __forceinline__ float unrectified(const BatchNorm& norm, int group, std::int64_t c,
                                             float xhat) {
  return fmaf(xhat, norm.scale[group][c], norm.shift[group][c]);
}

// g: the gradient behind the rectifier. It asks for the sign of its output, which its input has,
// too.
__device__ __forceinline__ float gradient(const BatchNorm& norm, int group, std::int64_t c,
                                          float xhat, float dy) {
  return rectified_gradient(norm.rectifier, unrectified(norm, group, c, xhat), dy);
}

// The gradient of x, from that behind the rectifier. sums null: the moments are constants.
__device__ __forceinline__ float input_gradient(const BatchNorm& norm, const Shares& shares,
                                                const float* sums, int group, std::int64_t c,
                                                float xhat, float g) {
  if (sums != nullptr) {
    const float share = shares.at(group);
    const float* from = sums + std::int64_t{group} * 2 * norm.C + c;
    g = fmaf(-xhat, share * from[norm.C], g - share * from[0]);
  }
  return norm.scale[group][c] * norm.moments[(group * kMoments + 2) * norm.C + c] * g;
}

inline Shares shares_of(const BatchNormCounts& counts) {
  Shares shares{};
  for (int group = 0; group < kMaxRowGroups; ++group) {
    shares.of[group] = 1.0F / static_cast<float>(counts.of[group]);
  }
  return shares;
}

}  // namespace gradflip
