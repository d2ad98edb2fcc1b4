#include "kernels/arg_max.h"

#include "kernels/cpu/arg_max.h"
#include "kernels/require.h"

namespace gradflip {

void arg_max_rows(Cpu /*ctx*/, std::int64_t N, std::int64_t num_classes, const float* logits,
                  std::int32_t* classes) {
  GRADFLIP_REQUIRE(N >= 0 && num_classes > 0,
                   message("arg_max: N is ", N, " (>= 0), num_classes is ", num_classes, " (> 0)"));
  for (std::int64_t i = 0; i < N; ++i) {
    classes[i] = static_cast<std::int32_t>(arg_max(num_classes, logits + i * num_classes));
  }
}

}  // namespace gradflip
