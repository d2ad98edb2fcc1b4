// One part of a training step, or an evaluation, as its author writes it down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/objective.h"
#include "runtime/ops/moments.h"
#include "runtime/ops/update.h"
#include "runtime/parameter_group.h"

namespace gradflip {

struct Optimizer {
  ops::OptimizerRule rule = SgdOptions{};
  float max_norm = std::numeric_limits<float>::infinity();  // longer gradients are clipped to it
  std::vector<std::string> without_decay = {};  // parts of names, such as "bias" (has_part)
};

// The sum of the terms, made smaller by one update of the parameters of `over`. Empty: all
// parameters that there are.
struct Objective {
  std::vector<Term> terms;
  ParameterGroup over = {};
  Optimizer with = {};
  Value learning_rate = {};  // f32 scalar, most often ops::evaluate_schedule
};

// A running average of the weights in a bank of its own, after the update: averaged = decay *
// averaged + (1 - decay) * weights, with decay = factor * times.
struct Average {
  int bank = 1;
  float factor = 1.0F;
  Value times = {};  // f32 scalar; none(): 1
};

// Statistics of batches that are kept beside the weights, once these are updated. mean and variance
// are parameters that are not trained.
struct Running {
  Value moments;                          // ops::batch_moments
  ops::SegmentGroups groups;              // that these are of, ...
  std::size_t group = 0;                  // ... and which of them is folded in
  std::int64_t pixels = 1;                // of a row
  std::int32_t mean = -1, variance = -1;  // indices in Parameters
  float momentum = 0.1F;                  // of this batch in them
};

// What a step tells of itself. A value with rows, f32 rows x (), is told as the rows' mean. A
// scalar is told as it is or, where `per` has segments, divided by their rows: counts.
struct Report {
  std::string name;
  Value value;
  Rows per = {};
  bool last = false;  // of several steps the last one's counts, not the mean: schedules
};

struct Draft {
  std::string name = "step";  // of its blocks of state: no other draft of a sequence has it
  Graph graph = {};
  Value step = {};  // the external i64 counter; none() where nothing depends on it
  // An external i64 counter of the runs of this draft, which its group keeps, where a step has
  // several of them that differ; none(): it has none.
  Value runs = {};
  std::optional<Objective> objective = {};
  std::vector<Average> averages = {};
  std::vector<Running> running = {};  // folded in in this order
  Value running_times = {};           // of every momentum, an f32 scalar; none(): 1
  std::vector<Report> reports = {};
  std::vector<Value> reads = {};  // what is read after a run: rewrites leave it
};

}  // namespace gradflip
