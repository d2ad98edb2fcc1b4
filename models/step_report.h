// What training says of its steps.
#pragma once

#include <cstdint>

namespace gradflip {

// Means over steps; learning_rate and lambda are the last one's.
struct StepReport {
  std::int64_t steps = 0;  // how many steps the means cover
  double label_loss = 0.0;
  double domain_loss =
      0.0;  // mean binary cross-entropy per image whatever the reduction: ln 2 means chance
  double domain_accuracy = 0.0;
  double learning_rate = 0.0;
  double lambda = 0.0;

  friend bool operator==(const StepReport& a, const StepReport& b) = default;
};

// Puts a report together. The sums are f64 and grow by one step at a time, in order: the same steps
// give the same bits whatever the calls that ran them.
class StepMeans {
 public:
  // Throws std::invalid_argument unless it is the report of a single step.
  void add(const StepReport& step);
  StepReport report() const;

 private:
  StepReport sums_;
};

}  // namespace gradflip
