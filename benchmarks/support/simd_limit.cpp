#include "benchmarks/support/simd_limit.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "apps/common/usage_error.h"
#include "kernels/cpu/simd_targets.h"

namespace gradflip::bench {

void use_simd(const std::string& name) {
  if (name == "best") return;
  std::string known = "best";
  const std::int64_t targets = (hwy::SupportedTargets() & HWY_TARGETS) | HWY_STATIC_TARGET;
  for (std::int64_t rest = targets; rest != 0; rest &= rest - 1) {
    const std::int64_t target = rest & -rest;
    std::string target_name = hwy::TargetName(target);
    std::transform(target_name.begin(), target_name.end(), target_name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (name == target_name) {
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().DeInit();  // older versions of Highway do not do it themselves
      return;
    }
    known += ", " + target_name;
  }
  throw UsageError("--simd: there is no \"" + name + "\" here; choose one of " + known);
}

}  // namespace gradflip::bench
