// Mean and variance of each channel over a batch, and running ones (kernels/moments.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/row_groups.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

// Whose rows share statistics: each of the segments of a value is in one group.
using SegmentGroups = std::vector<Rows>;

// Each segment of its own, or all in one.
SegmentGroups one_group(Rows rows);
SegmentGroups group_for_each(Rows rows);

// The kernels' view of those rows of a batch that a launch covers, or, where `whole`, of all.
RowGroups row_groups(const SegmentGroups& groups, std::span<const SegmentRange> segments,
                     bool whole = false);

// Throws std::invalid_argument, beginning with `op`, unless each segment of `rows` is in one of the
// groups and no other segment is.
void require_groups_of(std::string_view op, const SegmentGroups& groups, Rows rows);

// x: f32 rows x (..., C) -> f32 (groups, kMoments, C) without rows: mean, variance and
// 1 / sqrt(variance + epsilon) of each channel over the rows of each group. A constant to autodiff:
// what depends on a batch's moments says so itself (batch_norm.h). most_rows: that all segments of
// x have together in any run.
Value batch_moments(Graph& graph, Value x, const SegmentGroups& groups, std::int64_t most_rows,
                    float epsilon);

// Statistics that are known beforehand, such as running ones.
struct KnownStatistics {
  Value mean, variance;  // f32 (C) without rows
};

// Of each group, in their order -> f32 (groups, kMoments, C).
Value known_moments(Graph& graph, std::span<const KnownStatistics> groups, float epsilon);

}  // namespace gradflip::ops
