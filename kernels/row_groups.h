// Which of several groups each row of a batch belongs to, where a group's rows share something: the
// statistics of a domain.
#pragma once

#include <cstdint>

#include "kernels/host_device.h"

namespace gradflip {

inline constexpr int kMaxRowGroups = 8;

// Rows lie run after run, each run in one group. Small enough to be a kernel's argument.
struct RowGroups {
  struct Run {
    std::int64_t rows = 0;  // may be 0
    int group = 0;          // in [0, groups)
  };
  int groups = 1;
  int runs = 0;
  Run run[kMaxRowGroups] = {};

  // All rows in one group.
  static RowGroups one(std::int64_t rows) { return {.groups = 1, .runs = 1, .run = {{rows, 0}}}; }

  GRADFLIP_HOST_DEVICE std::int64_t rows() const {
    std::int64_t all = 0;
    for (int i = 0; i < runs; ++i) all += run[i].rows;
    return all;
  }
  GRADFLIP_HOST_DEVICE std::int64_t rows_of(int group) const {
    std::int64_t own = 0;
    for (int i = 0; i < runs; ++i) own += run[i].group == group ? run[i].rows : 0;
    return own;
  }
  // row in [0, rows()).
  GRADFLIP_HOST_DEVICE int group_of(std::int64_t row) const {
    int i = 0;
    while (row >= run[i].rows) row -= run[i++].rows;
    return run[i].group;
  }
};

// Throws std::invalid_argument unless there are groups, and every run is of one of them.
void require_valid(const RowGroups& groups);

}  // namespace gradflip
