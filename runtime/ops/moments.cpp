#include "runtime/ops/moments.h"

#include <iterator>

#include "kernels/moments.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

std::int64_t channels_of(const Shape& shape) { return shape[shape.rank() - 1]; }

// Rows by themselves, each in its place among those of the batch.
class RowMoments final : public Op {
 public:
  RowMoments(Rows rows, std::int64_t most_rows) : rows_(rows), most_rows_(most_rows) {}

  std::string_view name() const override { return "row_moments"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }
  Across across() const override { return Across::kStack; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].dtype == Dtype::kF32 && !inputs[0].rows.none() &&
                         inputs[0].shape.rank() > 0 && inputs[0].shape.size() > 0 && most_rows_ > 0,
                     message("row_moments: ", inputs[0].text(), ", at most ", most_rows_,
                             " rows; expected f32 rows x (..., C)"));
    return {{Dtype::kF32, {most_rows_, 2, channels_of(inputs[0].shape)}, {}}};
  }

  void run(const Launch& launch) const override {
    const Shape& shape = launch.inputs[0].shape;
    const std::int64_t C = channels_of(shape);
    const auto* x = launch.in<float>(0);
    auto* of_rows = launch.out<float>(0);
    for_each_range(launch, [&](const SegmentRange& range, std::int64_t first) {
      dispatch(launch, [&](auto ctx) {
        row_moments(ctx, range.count, shape.size() / C, C, x,
                    of_rows + (first + range.begin) * 2 * C);
      });
      x += range.count * shape.size();
    });
  }

 private:
  // Calls visit(range, rows of the batch ahead of its segment).
  template <typename Visit>
  void for_each_range(const Launch& launch, const Visit& visit) const {
    std::int64_t first = 0;
    for (std::size_t segment = 0; segment < launch.segments.size(); ++segment) {
      if (!rows_.contains_segment(static_cast<int>(segment))) continue;
      const SegmentRange& range = launch.segments[segment];
      GRADFLIP_REQUIRE(
          first + range.total <= most_rows_,
          message("row_moments: ", first + range.total, " rows; the graph is for ", most_rows_));
      visit(range, first);
      first += range.total;
    }
  }

  Rows rows_;
  std::int64_t most_rows_;
};

class CombineMoments final : public Op {
 public:
  CombineMoments(SegmentGroups groups, std::int64_t pixels, float epsilon)
      : groups_(std::move(groups)), pixels_(pixels), epsilon_(epsilon) {}

  std::string_view name() const override { return "combine_moments"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32,
             {static_cast<std::int64_t>(groups_.size()), kMoments, inputs[0].shape[2]},
             {}}};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      combine_moments(ctx, row_groups(groups_, launch.segments, /*whole=*/true), pixels_,
                      launch.inputs[0].shape[2], epsilon_, launch.in<float>(0),
                      launch.out<float>(0));
    });
  }

 private:
  SegmentGroups groups_;
  std::int64_t pixels_;
  float epsilon_;
};

// Inputs: mean and variance of each group.
class KnownMoments final : public Op {
 public:
  explicit KnownMoments(float epsilon) : epsilon_(epsilon) {}

  std::string_view name() const override { return "known_moments"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(!inputs.empty(), "known_moments: of no group");
    for (const ValueType& each : inputs) {
      GRADFLIP_REQUIRE(each.dtype == Dtype::kF32 && each.rows.none() && each.shape.rank() == 1 &&
                           each == inputs[0],
                       message("known_moments: ", inputs[0].text(), " and ", each.text(),
                               "; expected f32 (C), all without rows"));
    }
    return {{Dtype::kF32, {std::ssize(inputs) / 2, kMoments, inputs[0].shape[0]}, {}}};
  }

  void run(const Launch& launch) const override {
    const std::int64_t C = launch.inputs[0].shape[0];
    auto* moments = launch.out<float>(0);
    for (std::size_t i = 0; i + 1 < launch.inputs.size(); i += 2, moments += kMoments * C) {
      dispatch(launch, [&](auto ctx) {
        known_moments(ctx, C, epsilon_, launch.in<float>(i), launch.in<float>(i + 1), moments);
      });
    }
  }

 private:
  float epsilon_;
};

}  // namespace

SegmentGroups one_group(Rows rows) { return {rows}; }

SegmentGroups group_for_each(Rows rows) {
  SegmentGroups groups;
  for (int segment = 0; segment < kMaxSegments; ++segment) {
    if (rows.contains_segment(segment)) groups.push_back(segment_rows(segment));
  }
  return groups;
}

RowGroups row_groups(const SegmentGroups& groups, std::span<const SegmentRange> segments,
                     bool whole) {
  static_assert(kMaxSegments <= kMaxRowGroups);
  RowGroups of{.groups = static_cast<int>(groups.size())};
  for (std::size_t segment = 0; segment < segments.size(); ++segment) {
    for (std::size_t group = 0; group < groups.size(); ++group) {
      if (!groups[group].contains_segment(static_cast<int>(segment))) continue;
      of.run[of.runs++] = {whole ? segments[segment].total : segments[segment].count,
                           static_cast<int>(group)};
    }
  }
  return of;
}

void require_groups_of(std::string_view op, const SegmentGroups& groups, Rows rows) {
  Rows grouped;
  bool twice = false;
  for (const Rows group : groups) {
    twice = twice || (grouped.mask & group.mask) != 0 || group.none();
    grouped = grouped | group;
  }
  GRADFLIP_REQUIRE(!twice && grouped == rows && !groups.empty(),
                   message(op, ": groups of ", grouped.text(), " for ", rows.text(),
                           "; each segment must be in one of them"));
}

Value batch_moments(Graph& graph, Value x, const SegmentGroups& groups, std::int64_t most_rows,
                    float epsilon) {
  const ValueType type = graph.type(x);
  require_groups_of("batch_moments", groups, type.rows);
  const Value rows =
      graph.append_one(std::make_shared<const RowMoments>(type.rows, most_rows), {x});
  const std::int64_t pixels = type.shape.size() / channels_of(type.shape);
  return graph.append_one(std::make_shared<const CombineMoments>(groups, pixels, epsilon), {rows});
}

Value known_moments(Graph& graph, std::span<const KnownStatistics> groups, float epsilon) {
  std::vector<Value> inputs;
  for (const KnownStatistics& each : groups) {
    inputs.insert(inputs.end(), {each.mean, each.variance});
  }
  return graph.append_one(std::make_shared<const KnownMoments>(epsilon), std::move(inputs));
}

}  // namespace gradflip::ops
