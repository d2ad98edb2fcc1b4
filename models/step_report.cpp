#include "models/step_report.h"

#include "kernels/require.h"

namespace gradflip {

void StepMeans::add(const StepReport& step) {
  GRADFLIP_REQUIRE(step.steps == 1, message("step means: a report of ", step.steps, " steps"));
  ++sums_.steps;
  sums_.label_loss += step.label_loss;
  sums_.domain_loss += step.domain_loss;
  sums_.domain_accuracy += step.domain_accuracy;
  sums_.learning_rate = step.learning_rate;
  sums_.lambda = step.lambda;
}

StepReport StepMeans::report() const {
  StepReport means = sums_;
  if (means.steps == 0) return means;
  const auto steps = static_cast<double>(means.steps);
  means.label_loss /= steps;
  means.domain_loss /= steps;
  means.domain_accuracy /= steps;
  return means;
}

}  // namespace gradflip
