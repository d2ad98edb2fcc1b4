// Runs a test body once for every instruction set that the CPU kernels are compiled for and this
// machine has, from the widest to the baseline; on other backends once.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>

#include "kernels/context.h"
#include "kernels/cpu/simd_targets.h"

namespace gradflip {

// From here to its end CPU kernels use this target.
class ScopedSimdTarget {
 public:
  explicit ScopedSimdTarget(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();  // older versions of Highway do not do it themselves
  }
  ~ScopedSimdTarget() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
  ScopedSimdTarget(const ScopedSimdTarget&) = delete;
  ScopedSimdTarget& operator=(const ScopedSimdTarget&) = delete;
};

template <typename Ctx, typename Body>
void for_each_simd_target(const Body& body) {
  if constexpr (std::is_same_v<Ctx, Cpu>) {
    constexpr std::int64_t kBaseline = HWY_STATIC_TARGET;
    const std::int64_t targets = (hwy::SupportedTargets() & HWY_TARGETS) | kBaseline;
    for (std::int64_t rest = targets; rest != 0; rest &= rest - 1) {
      const std::int64_t target = rest & -rest;
      SCOPED_TRACE(hwy::TargetName(target));
      const ScopedSimdTarget scope(target);
      body();
    }
  } else {
    body();
  }
}

}  // namespace gradflip
