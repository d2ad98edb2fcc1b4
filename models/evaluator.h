// Measures a network on a labelled data set, again and again: the graph and its scratch stay.
#pragma once

#include <cstdint>

#include "kernels/math_mode.h"
#include "models/data/device_data.h"
#include "models/data/input_values.h"
#include "models/data/network_input.h"
#include "models/training_graph.h"
#include "runtime/executor.h"

namespace gradflip {

// The network to measure. Everything referred to must outlive the evaluator.
struct EvaluatedNetwork {
  const Parameters& parameters;
  const ParameterBlocks& blocks;
  const Context& context;
  Workers& workers;
  const NetworkInput& input;
  const InputMemory& input_memory;
  std::int64_t num_classes = 0;
  Math precision = Math::kF32;
};

class Evaluator {
 public:
  // Throws DataError for samples or labels that do not fit the network, or none. The data must
  // outlive the evaluator.
  Evaluator(const EvaluatedNetwork& network, const LabelledDeviceData& data);
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  // Share of samples whose label the label predictor gets right, with the weights as they are now.
  // Touches nothing else.
  double accuracy();

 private:
  Context context_;
  std::int64_t count_, batch_;
  EvaluationGraph graph_;
  Buffer step_;
  Executor executor_;
};

}  // namespace gradflip
