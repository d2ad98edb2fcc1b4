// Batches whose rows are in groups, as kernels and references take them.
#pragma once

#include <vector>

#include "kernels/row_groups.h"
#include "tests/support/reference/batch_norm.h"

namespace gradflip {

// Runs of rows: {rows, group} each.
inline RowGroups row_groups(int groups, const std::vector<RowGroups::Run>& runs) {
  RowGroups of{.groups = groups};
  for (const RowGroups::Run& run : runs) of.run[of.runs++] = run;
  return of;
}

inline reference::BatchNormCase reference_case(const RowGroups& groups, std::int64_t pixels,
                                               std::int64_t C) {
  reference::BatchNormCase norm{.groups = groups.groups, .pixels = pixels, .C = C};
  for (int run = 0; run < groups.runs; ++run) {
    norm.group.insert(norm.group.end(), static_cast<std::size_t>(groups.run[run].rows),
                      groups.run[run].group);
  }
  return norm;
}

struct NormSize {
  RowGroups groups;
  std::int64_t pixels, C;
};

// Channels about the sizes of vectors and of a block's channels; pixels about those of chains and
// lanes; one group, two, and one that lies in two runs; runs without rows.
inline std::vector<NormSize> norm_sizes() {
  return {{RowGroups::one(3), 1, 1},
          {RowGroups::one(2), 7, 3},
          {row_groups(2, {{3, 0}, {2, 1}}), 5, 16},
          {row_groups(2, {{2, 1}, {0, 0}, {3, 0}, {1, 1}}), 9, 33},
          {row_groups(3, {{4, 0}, {1, 2}, {2, 1}}), 1, 40},
          {RowGroups::one(19), 2, 17}};
}

}  // namespace gradflip
