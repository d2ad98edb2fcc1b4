#include "kernels/count_correct.h"

#include <cmath>

#include "kernels/require.h"

namespace gradflip {
namespace {

// -1 where a NaN makes the row say nothing.
std::int64_t arg_max(std::int64_t num_classes, const float* logits) {
  std::int64_t best = 0;
  for (std::int64_t j = 0; j < num_classes; ++j) {
    if (std::isnan(logits[j])) return -1;
    if (logits[j] > logits[best]) best = j;
  }
  return best;
}

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
    if (arg_max(num_classes, logits + i * num_classes) == labels[i]) ++correct;
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
