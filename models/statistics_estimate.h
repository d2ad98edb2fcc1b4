// A copy of a network's weights, with statistics of a whole data set in place of the running ones of
// batch normalisation, which lag behind the weights and may be another domain's: Li et al.,
// "Revisiting Batch Normalization for Practical Domain Adaptation" (2016). Labels are not needed.
#pragma once

#include <cstdint>

#include "models/data/device_data.h"
#include "models/data/input_values.h"
#include "models/network.h"
#include "models/pass.h"
#include "runtime/draft.h"
#include "runtime/memory.h"
#include "runtime/program.h"
#include "runtime/state.h"
#include "runtime/workers.h"

namespace gradflip {

// What there is to estimate for. Everything referred to must outlive the estimate.
struct EstimatedNetwork {
  const Network& network;
  Parameters& parameters;  // declared, and not changed
  const State& state;      // whose weights are copied
  const Context& context;
  Workers& workers;
  const InputMemory& input_memory;
  std::int64_t num_classes = 0;
  Pass pass;  // of an evaluation
};

class StatisticsEstimate {
 public:
  // domain: that the data is of. The data must outlive the estimate.
  StatisticsEstimate(const EstimatedNetwork& network, const DeviceData& data, int domain);
  StatisticsEstimate(const StatisticsEstimate&) = delete;
  StatisticsEstimate& operator=(const StatisticsEstimate&) = delete;

  // Copies the weights as they are now, and takes the means of the statistics of batches of the
  // data, each sample in one of them but for those that fill none.
  void update();

  // The copy.
  const State& state() const { return state_; }

 private:
  struct Written {
    Draft draft;
    Value samples;
    InputValues input;
  };
  static Written write(const EstimatedNetwork& network, const DeviceData& data, int domain,
                       std::int64_t batch);

  const State& trained_;
  Context context_;
  std::int64_t batch_, batches_;
  Written written_;
  State state_;
  Program program_;
};

}  // namespace gradflip
