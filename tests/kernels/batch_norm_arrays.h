// What the kernels of batch normalisation get in tests, and the doubles that hold it.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/batch_norm.h"
#include "tests/kernels/batch_norm_cases.h"
#include "tests/support/guarded.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/batch_norm.h"

namespace gradflip {

inline constexpr Rectifier kRectifiers[] = {
    kIdentity, {}, {.slope = 0.1F}, {.slope = 0.0F, .cap = 0.8F}};

inline reference::BatchNormCase with_rectifier(reference::BatchNormCase norm,
                                               const Rectifier& rectifier) {
  norm.slope = rectifier.slope;
  norm.cap = rectifier.cap;
  return norm;
}

// Moments as the kernels take them.
inline std::vector<float> joined(const reference::BatchNormCase& norm,
                                 const reference::Moments& of) {
  std::vector<float> moments;
  for (int group = 0; group < norm.groups; ++group) {
    const auto add = [&](const auto& value_of) {
      for (std::int64_t c = 0; c < norm.C; ++c) {
        moments.push_back(static_cast<float>(value_of(group * norm.C + c)));
      }
    };
    add([&](std::int64_t i) { return of.mean[i]; });
    add([&](std::int64_t i) { return of.variance[i]; });
    add([&](std::int64_t i) { return 1.0 / std::sqrt(of.variance[i] + norm.epsilon); });
  }
  return moments;
}

// What the kernels get, and the doubles that hold it.
template <typename Ctx>
struct NormArrays {
  NormArrays(const NormSize& size, const Rectifier& rectifier)
      : norm(with_rectifier(reference_case(size.groups, size.pixels, size.C), rectifier)),
        x(random_floats(norm.size(), 1)),
        dy(random_floats(norm.size(), 2)),
        scale(random_floats(size.groups.groups * size.C, 3)),
        shift(random_floats(size.groups.groups * size.C, 4)),
        of(reference::moments(norm, reference::widen(x))),
        moments(joined(norm, of)),
        device_x(x, Base::kOffByOne),
        device_dy(dy, Base::kOffByOne),
        device_scale(scale),
        device_shift(shift),
        device_moments(moments) {
    call = {.groups = size.groups,
            .pixels = size.pixels,
            .C = size.C,
            .rectifier = rectifier,
            .moments = device_moments.data()};
    for (int group = 0; group < size.groups.groups; ++group) {
      call.scale[group] = device_scale.data() + group * size.C;
      call.shift[group] = device_shift.data() + group * size.C;
      counts.of[group] = size.groups.rows_of(group) * size.pixels;
    }
  }

  reference::Affine affine() const { return {reference::widen(scale), reference::widen(shift)}; }

  reference::BatchNormCase norm;
  std::vector<float> x, dy, scale, shift;
  reference::Moments of;
  std::vector<float> moments;
  GuardedBuffer<float, Ctx> device_x, device_dy, device_scale, device_shift, device_moments;
  BatchNorm call;
  BatchNormCounts counts;
};

}  // namespace gradflip
