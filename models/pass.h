// How a network is applied: what its layers do in one use, and not in another.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/math_mode.h"
#include "runtime/graph.h"

namespace gradflip {

// Whose rows batch normalisation takes the mean and the variance of.
enum class BatchStatistics {
  kJoint,      // of all rows of a batch together
  kSeparate,   // of each domain's in training; running ones follow both, one after the other, as
               // where a network is applied to one domain and then to the other
  kPerDomain,  // of each domain's, running ones too (Chang et al., CVPR 2019)
};

struct Pass {
  Math math = Math::kF32;  // of the matrix products and convolutions of every layer
  // Whose values of the parameters are read (ParameterBlocks::bank); only those of 0 have
  // gradients.
  int bank = 0;
  BatchStatistics statistics = BatchStatistics::kJoint;
  bool own_scale = false;  // with kPerDomain: each domain has a scale and a shift of its own
  // The domain that each segment's rows are of.
  std::array<int, kMaxSegments> domains{0, 1};  // source, target

  // A training step: batches are normalised by their own statistics, which are kept, and dropout
  // drops. Without it, an evaluation: by running statistics, of the domain or, where it has none,
  // the other one's; dropout does nothing.
  struct Training {
    Value step;  // i64 scalar
    std::uint64_t seed = 0;
    std::vector<std::int64_t> rows = {};  // that each segment has at most
    bool drops = true;                    // false: dropout does nothing
  };
  std::optional<Training> training = {};
};

}  // namespace gradflip
