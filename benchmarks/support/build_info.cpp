#include "benchmarks/support/build_info.h"

namespace gradflip::bench {

BuildInfo build_info() {
  return {GRADFLIP_BENCH_COMPILER, GRADFLIP_BENCH_BUILD_TYPE, GRADFLIP_BENCH_SANITIZER,
          GRADFLIP_BENCH_COMMIT};
}

std::string unfit_for_timing(const BuildInfo& build) {
  if (!build.sanitizer.empty()) {
    return "this build has sanitizers (" + build.sanitizer +
           "), its timings mean nothing; "
           "use the preset release";
  }
  if (build.type != "Release" && build.type != "RelWithDebInfo") {
    return "this is a " + (build.type.empty() ? "build without a type" : build.type + " build") +
           ", its timings mean nothing; use the preset release";
  }
  return {};
}

nlohmann::ordered_json to_json(const BuildInfo& build) {
  return {{"compiler", build.compiler}, {"build_type", build.type}, {"commit", build.commit}};
}

}  // namespace gradflip::bench
