#include "kernels/count_correct.h"

#include "kernels/cpu/arg_max.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

void write_count(std::int64_t correct, Write write, float* count) {
  *count = static_cast<float>(correct) + (write == Write::kAccumulate ? *count : 0.0F);
}

}  // namespace

void count_correct(Cpu /*ctx*/, std::int64_t N, std::int64_t num_classes, const float* logits,
                   const std::int32_t* labels, Write write, float* count) {
  GRADFLIP_REQUIRE(
      N >= 0 && num_classes > 0,
      message("count_correct: N is ", N, " (>= 0), num_classes is ", num_classes, " (> 0)"));
  std::int64_t correct = 0;
  for (std::int64_t i = 0; i < N; ++i) {
    const std::int64_t best = arg_max(num_classes, logits + i * num_classes);
    if (best >= 0 && best == labels[i]) ++correct;
  }
  write_count(correct, write, count);
}

void count_correct_binary(Cpu /*ctx*/, std::int64_t N, const float* logits, const float* labels,
                          Write write, float* count) {
  GRADFLIP_REQUIRE(N >= 0, message("count_correct_binary: N is ", N, ", must be >= 0"));
  std::int64_t correct = 0;
  for (std::int64_t n = 0; n < N; ++n) {
    const bool right =
        (labels[n] == 1.0F && logits[n] > 0.0F) || (labels[n] == 0.0F && logits[n] < 0.0F);
    if (right) ++correct;
  }
  write_count(correct, write, count);
}

}  // namespace gradflip
