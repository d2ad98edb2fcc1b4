// How the rows of a batch weigh in a sum over it.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/write.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

enum class Over {
  kNothing,   // a plain sum
  kRows,      // the mean over all rows that the value has
  kSegments,  // the sum of the segments' own means
};

// A row of segment s weighs weights[s], divided by the number of rows in the step that `over`
// names.
struct RowWeights {
  Over over = Over::kNothing;
  std::array<float, kMaxSegments> weights{1, 1, 1, 1, 1, 1, 1, 1};

  friend bool operator==(const RowWeights&, const RowWeights&) = default;
};

// The same, all of them times `factor`.
inline RowWeights scaled(RowWeights weights, float factor) {
  for (float& weight : weights.weights) weight *= factor;
  return weights;
}

// A segment of a launch: where its rows stand among those of the value, and what each weighs.
struct WeighedSegment {
  int segment = 0;
  std::int64_t first = 0, count = 0;
  float weight = 0.0F;
};

// Calls visit(WeighedSegment) for each segment that `rows` names. The rows of one segment are
// neighbours in an operation's tensors. A segment without rows in the step weighs nothing.
template <typename Visit>
void for_each_weighed_segment(std::span<const SegmentRange> segments, Rows rows,
                              const RowWeights& weights, Visit&& visit) {
  std::int64_t all = 0;
  for (std::size_t s = 0; s < segments.size(); ++s) {
    if (rows.contains_segment(static_cast<int>(s))) all += segments[s].total;
  }
  WeighedSegment weighed;
  for (std::size_t s = 0; s < segments.size(); ++s) {
    if (!rows.contains_segment(static_cast<int>(s))) continue;
    weighed.segment = static_cast<int>(s);
    weighed.count = segments[s].count;
    weighed.weight = weights.weights[s];
    if (weights.over != Over::kNothing) {
      const std::int64_t total = weights.over == Over::kRows ? all : segments[s].total;
      weighed.weight = total == 0 ? 0.0F : weighed.weight / static_cast<float>(total);
    }
    visit(weighed);
    weighed.first += weighed.count;
  }
}

}  // namespace gradflip::ops
