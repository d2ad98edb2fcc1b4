// Measures a network on a labelled data set, again and again: the program and its scratch stay.
#pragma once

#include <cstdint>
#include <memory>

#include "models/data/device_data.h"
#include "models/data/input_values.h"
#include "models/evaluation.h"
#include "models/network.h"
#include "models/statistics_estimate.h"
#include "runtime/program.h"
#include "runtime/state.h"

namespace gradflip {

// The network to measure. Everything referred to must outlive the evaluator.
struct EvaluatedNetwork {
  const Network& network;
  const Parameters& parameters;
  const State& state;
  const Context& context;
  Workers& workers;
  const InputMemory& input_memory;
  std::int64_t num_classes = 0;
  Pass pass;  // of an evaluation; its domains are set by the evaluator
};

class Evaluator {
 public:
  // domain: that the data is of, kSource or kTarget, where the network treats them differently.
  // Throws DataError for samples or labels that do not fit the network, or none. The data must
  // outlive the evaluator.
  // estimate: whose state takes the place of the network's, and is updated ahead of each
  // measurement; null: none.
  Evaluator(const EvaluatedNetwork& network, const LabelledDeviceData& data, int domain,
            std::unique_ptr<StatisticsEstimate> estimate = nullptr);
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  // Share of samples whose label the label predictor gets right, with the weights as they are now.
  // Touches nothing else.
  double accuracy();

 private:
  std::unique_ptr<StatisticsEstimate> estimate_;
  Context context_;
  std::int64_t count_, batch_;
  Evaluation evaluation_;
  Buffer batches_;
  Program program_;
};

}  // namespace gradflip
