// A pass over labelled samples in their own order, a batch at a time, that counts those whose label
// the network gets right.
#pragma once

#include <cstdint>

#include "models/data/input_values.h"
#include "models/data/samples.h"
#include "models/network.h"
#include "runtime/draft.h"
#include "runtime/graph.h"
#include "runtime/parameters.h"

namespace gradflip {

struct Evaluation {
  Draft draft;
  Value batches;          // external i64 scalar: those that are behind; a run counts it up
  Value samples, labels;  // external
  InputValues input;
  Value correct;  // f32 scalar, to be read after a run
};

// pass: of an evaluation, its domains those that the data is of. Over parameters that a method has
// declared: throws std::invalid_argument if one is missing or has
// another shape.
Evaluation write_evaluation(const Network& network, const Parameters& parameters,
                            const DatasetShape& data, std::int64_t num_classes, std::int64_t batch,
                            const Pass& pass);

}  // namespace gradflip
