// One training step as a graph: sampling, pictures, the network, losses, gradients, the guard and
// the update.
#pragma once

#include <cstdint>

#include "models/data/input_values.h"
#include "models/data/network_input.h"
#include "models/data/samples.h"
#include "models/recipe.h"
#include "models/training_step.h"
#include "runtime/graph.h"
#include "runtime/parameters.h"

namespace gradflip {

struct TrainingGraph {
  Graph graph;

  // External values, to be bound; TrainingMemory binds those of `update`, InputMemory those of
  // `input`.
  Value labelled_samples;    // DatasetShape::type()
  Value labels;              // i32
  Value unlabelled_samples;  // none() without a domain classifier
  InputValues input;
  TrainingStep update;

  // Results of a step, f32 scalars; the domain's are none() without a domain classifier.
  // record_capacity > 0: what each of the last so many steps found, (capacity, 2 or 5) f32, in the
  // order of StepRecord below.
  Value records;

  Value label_loss;      // sum over the labelled rows
  Value domain_loss;     // sum over all rows
  Value domain_correct;  // rows that the domain classifier gets right
  Value lambda;
  Value learning_rate;
};

struct TrainingGraphOptions {
  bool fuse = true;  // false: the reference that fusion is tested against
  // Fuse further, for a context that takes batches whole (runtime/sharding.h), such as a GPU.
  bool whole_batch = false;
  std::int64_t record_capacity = 0;  // steps whose results are kept; 0: none
};

// The columns of TrainingGraph::records; the last three only with a domain classifier.
enum StepRecord : int {
  kRecordLabelLoss,
  kRecordLearningRate,
  kRecordDomainLoss,
  kRecordDomainCorrect,
  kRecordLambda,
};
constexpr std::int64_t step_record_columns(bool has_domain_classifier) {
  return has_domain_classifier ? 5 : 2;
}

// Both data sets are what `input` takes. unlabelled.count = 0: no domain classifier. Declares the
// parameters in `parameters`, which starts empty. total_steps is the length of the run that the
// schedules span.
TrainingGraph build_training_graph(const Recipe& recipe, const NetworkInput& input,
                                   const DatasetShape& labelled, std::int64_t num_classes,
                                   const DatasetShape& unlabelled, std::uint64_t seed,
                                   std::int64_t total_steps, Parameters& parameters,
                                   const TrainingGraphOptions& graph_options = {});

// What FiniteGuard::quantity = i stands for: "label loss", "domain loss" or "gradient".
const char* guarded_quantity(std::int32_t quantity, bool has_domain_classifier);
bool is_guarded_gradient(std::int32_t quantity, bool has_domain_classifier);

// A pass over labelled samples in their own order, `batch` at a time, that counts correct
// predictions. whole_batch as in TrainingGraphOptions.
struct EvaluationGraph {
  Graph graph;
  Value step, samples, labels;  // external, as are input's
  InputValues input;
  Value correct;  // f32 scalar
};

// Uses parameters that a training graph declared; throws std::invalid_argument if one is missing or
// has another shape.
EvaluationGraph build_evaluation_graph(const NetworkInput& input, const DatasetShape& data,
                                       std::int64_t num_classes, std::int64_t batch, Math precision,
                                       const Parameters& parameters, bool whole_batch = false);

}  // namespace gradflip
