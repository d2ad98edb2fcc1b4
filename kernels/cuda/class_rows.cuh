// Rows of logits shared out to lanes: kLanes neighbouring lanes take a row, lane l of them the
// classes l, l + kLanes, ...; a block takes kThreads / kLanes rows at a time. Few classes take few
// lanes, so that a warp works on several rows instead of idling. A load of theirs then touches more
// sectors than it needs (ten classes: ten instead of four), and the row's next loads find the rest
// of them in the first-level cache.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"

namespace gradflip {

// start(std::integral_constant<unsigned, kLanes>{}) with the lanes that suit so many classes: no
// more than eight classes a lane until a row has a whole warp. The choice fixes the order of sums,
// hence it depends on the number of classes alone.
template <typename Start>
void with_lanes_per_row(std::int64_t num_classes, const Start& start) {
  if (num_classes <= 4) {
    start(std::integral_constant<unsigned, 1>{});
  } else if (num_classes <= 32) {
    start(std::integral_constant<unsigned, 4>{});
  } else {
    start(std::integral_constant<unsigned, 32>{});
  }
}

// A logit and its class.
struct Candidate {
  float logit;
  std::int64_t j;
};

// Of the row's largest logit: its class, -1 where a NaN makes the row say nothing.
__device__ __forceinline__ std::int64_t class_of(const Candidate& largest) {
  return largest.logit == largest.logit ? largest.j : -1;
}

// Of two logits the larger, of equal ones the first, and a NaN before any number.
struct Larger {
  __device__ __forceinline__ Candidate operator()(const Candidate& a, const Candidate& b) const {
    const bool a_is_nan = a.logit != a.logit;
    const bool b_is_nan = b.logit != b.logit;
    if (a_is_nan != b_is_nan) return a_is_nan ? a : b;
    if (!a_is_nan && a.logit != b.logit) return a.logit > b.logit ? a : b;
    return a.j < b.j ? a : b;
  }
};

// The largest logit of the row, in every lane of its group. All 32 lanes of the warp take part; a
// group without a row passes num_classes = 0.
template <unsigned kLanes>
__device__ __forceinline__ Candidate largest_logit(std::int64_t num_classes, const float* row) {
  Candidate largest = {-std::numeric_limits<float>::infinity(),
                       std::numeric_limits<std::int64_t>::max()};
  for (std::int64_t j = threadIdx.x % kLanes; j < num_classes; j += kLanes) {
    largest = Larger{}(largest, Candidate{row[j], j});
  }
  return warp_reduce<kLanes>(largest, Larger{});
}

}  // namespace gradflip
