// Measures a network on labelled pictures, again and again: the pictures stay in the context's
// memory, and so do the graph and its scratch.
#pragma once

#include <cstdint>

#include "kernels/math_mode.h"
#include "models/domain_data.h"
#include "models/training_graph.h"
#include "runtime/executor.h"

namespace gradflip {

// The network to measure. Everything referred to must outlive the evaluator.
struct EvaluatedNetwork {
  const Parameters& parameters;
  const ParameterBlocks& blocks;
  const Context& context;
  Workers& workers;
  const Buffer& channel_means;
  const Buffer& channel_scales;
  std::int64_t num_classes = 0;
  Math precision = Math::kF32;
};

class Evaluator {
 public:
  // Throws DataError for pictures or labels that do not fit the network or each other, or none.
  // Copies the pictures.
  Evaluator(const EvaluatedNetwork& network, const LabelledImages& data);
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  // Share of pictures whose label the label predictor gets right, with the weights as they are now.
  // Touches nothing else.
  double accuracy();

 private:
  Context context_;
  std::int64_t count_, batch_;
  EvaluationGraph graph_;
  Buffer images_, labels_, step_;
  Executor executor_;
};

}  // namespace gradflip
