// The largest logit of one row.
#pragma once

#include <cmath>
#include <cstdint>

namespace gradflip {

// Its class, of equal ones the first; -1 where a NaN makes the row say nothing.
inline std::int64_t arg_max(std::int64_t num_classes, const float* logits) {
  std::int64_t best = 0;
  for (std::int64_t j = 0; j < num_classes; ++j) {
    if (std::isnan(logits[j])) return -1;
    if (logits[j] > logits[best]) best = j;
  }
  return best;
}

}  // namespace gradflip
