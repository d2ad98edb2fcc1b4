// What the loss operations share: how the rows' losses are weighed.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/write.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

// The loss that is differentiated is
//   times * sum over the segments of weights[segment] * mean of the segment's rows' losses.
struct LossOptions {
  std::array<float, kMaxSegments> weights{1, 1, 1, 1, 1, 1, 1, 1};
  Value times;  // optional f32 scalar that changes from step to step, a constant to autodiff;
                // none(): 1
};

// Calls visit(first row, row count, scale of the gradient, write) for each segment that `rows`
// names: the rows of one segment are neighbours in the operation's tensors. The first call
// overwrites the loss where the launch does.
template <typename Visit>
void for_each_loss_segment(const Launch& launch, Rows rows,
                           const std::array<float, kMaxSegments>& weights, const float* times,
                           Visit&& visit) {
  std::int64_t first = 0;
  Write write = launch.write;
  for (std::size_t segment = 0; segment < launch.segments.size(); ++segment) {
    if (!rows.contains_segment(static_cast<int>(segment))) continue;
    const SegmentRange& range = launch.segments[segment];
    const float mean = range.total == 0 ? 0.0F : weights[segment] / static_cast<float>(range.total);
    visit(first, range.count, Scale{mean, times}, write);
    first += range.count;
    write = Write::kAccumulate;
  }
}

}  // namespace gradflip::ops
