// What draws or sums over a batch in random networks: batch norm of every kind, and dropout.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/draft.h"
#include "runtime/graph.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/moments.h"
#include "runtime/parameters.h"
#include "tests/support/random_choices.h"

namespace gradflip {

class RandomNormalisation {
 public:
  // rows: of the draft's segments.
  RandomNormalisation(RandomChoices& choices, Draft& draft, Parameters& parameters,
                      const std::vector<std::int64_t>& rows)
      : choices_(choices), draft_(draft), parameters_(parameters), rows_(rows) {}

  Value batch_norm(const std::string& name, Value x) {
    Graph& graph = draft_.graph;
    const ValueType type = graph.type(x);
    const std::int64_t C = type.shape[type.shape.rank() - 1];
    const bool separate = choices_.once_in(2);
    const ops::SegmentGroups groups =
        separate ? ops::group_for_each(type.rows) : ops::one_group(type.rows);
    const bool of_batch = !choices_.once_in(4);
    const Value moments = of_batch
                              ? ops::batch_moments(graph, x, groups, rows_of(type.rows), kEpsilon)
                              : known_moments(name, C, groups.size());
    std::vector<ops::ChannelAffine> affine;
    const std::size_t pairs = separate && choices_.once_in(2) ? groups.size() : 1;
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      const std::string own = message(name, ".", pair);
      affine.push_back(
          {channel(own + ".scale", C, Uniform{1.5F}), channel(own + ".shift", C, Uniform{0.5F})});
    }
    if (of_batch && choices_.once_in(2)) keep(name, moments, groups, type.shape.size() / C, C);
    return ops::batch_norm(graph, x, moments, affine, {.groups = groups, .of_batch = of_batch});
  }

  Value dropout(Value x) {
    const bool channels = draft_.graph.type(x).shape.rank() > 0 && choices_.once_in(2);
    return ops::dropout(draft_.graph, x, draft_.step,
                        {.seed = 3,
                         .stream = streams_++,
                         .probability = choices_.one_of({0.1, 0.5}),
                         .channels = channels});
  }

 private:
  // Large, so that what is rounded differently does not grow where a few rows are almost alike.
  static constexpr float kEpsilon = 0.1F;

  std::int64_t rows_of(Rows of) const {
    std::int64_t count = 0;
    for (std::size_t segment = 0; segment < rows_.size(); ++segment) {
      if (of.contains_segment(static_cast<int>(segment))) count += rows_[segment];
    }
    return count;
  }

  std::int32_t declare(const std::string& name, std::int64_t C, const Initialiser& initialiser,
                       bool trained) {
    const Shape shape{C};
    return parameters_.add(name, shape, FileLayout::same(shape), initialiser, trained);
  }
  Value channel(const std::string& name, std::int64_t C, const Initialiser& initialiser,
                bool trained = true) {
    return draft_.graph.parameter(declare(name, C, initialiser, trained), name, {C});
  }

  Value known_moments(const std::string& name, std::int64_t C, std::size_t groups) {
    std::vector<ops::KnownStatistics> known;
    for (std::size_t group = 0; group < groups; ++group) {
      const std::string own = message(name, ".known", group);
      known.push_back({channel(own + ".mean", C, Uniform{0.5F}, /*trained=*/false),
                       channel(own + ".variance", C, Constant{0.5F}, /*trained=*/false)});
    }
    return ops::known_moments(draft_.graph, known, kEpsilon);
  }

  // One of the groups' moments, folded into running ones.
  void keep(const std::string& name, Value moments, const ops::SegmentGroups& groups,
            std::int64_t pixels, std::int64_t C) {
    draft_.running.push_back(
        {.moments = moments,
         .groups = groups,
         .group = choices_.below(groups.size()),
         .pixels = pixels,
         .mean = declare(name + ".running_mean", C, Constant{0.0F}, false),
         .variance = declare(name + ".running_var", C, Constant{1.0F}, false)});
  }

  RandomChoices& choices_;
  Draft& draft_;
  Parameters& parameters_;
  const std::vector<std::int64_t>& rows_;
  std::uint32_t streams_ = 0;
};

}  // namespace gradflip
