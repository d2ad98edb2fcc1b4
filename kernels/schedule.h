// Values that follow training progress, evaluated in the context's memory so that a captured step
// needs no host.
//
//   kConstant       start
//   kSigmoidRamp    start * (2 / (1 + exp(-gamma * p)) - 1)      JMLR 2016, section 5.2.2: lambda_p
//   kProgressDecay  start / (1 + alpha * p)^beta                 JMLR 2016, section 5.2.2: mu_p
//   kStepDecay      start * (1 + gamma * step)^-beta             per iteration, as in DeepDA
// step counts from first_step, before which it is 0; p = step / total_steps, in [0, 1].
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/context.h"
#include "kernels/host_device.h"

namespace gradflip {

struct Schedule {
  enum class Kind { kConstant, kSigmoidRamp, kProgressDecay, kStepDecay };
  Kind kind = Kind::kConstant;
  double start = 0.0;
  double alpha = 0.0, beta = 0.0, gamma = 0.0;
  std::int64_t total_steps = 1;  // > 0
  std::int64_t first_step = 0;
};

// The formulas above, in double; the one place that holds them. Steps past total_steps keep p = 1.
GRADFLIP_HOST_DEVICE inline double schedule_at(const Schedule& schedule, std::int64_t step) {
  step = step > schedule.first_step ? step - schedule.first_step : 0;
  const double p = step < schedule.total_steps
                       ? static_cast<double>(step) / static_cast<double>(schedule.total_steps)
                       : 1.0;
  switch (schedule.kind) {
    case Schedule::Kind::kConstant:
      break;
    case Schedule::Kind::kSigmoidRamp:
      return schedule.start * (2.0 / (1.0 + std::exp(-schedule.gamma * p)) - 1.0);
    case Schedule::Kind::kProgressDecay:
      return schedule.start / std::pow(1.0 + schedule.alpha * p, schedule.beta);
    case Schedule::Kind::kStepDecay:
      return schedule.start *
             std::pow(1.0 + schedule.gamma * static_cast<double>(step), -schedule.beta);
  }
  return schedule.start;
}

// *value = schedule_at(schedule, *step), rounded to float. Both pointers are in the context's
// memory.
void evaluate_schedule(Cpu ctx, const Schedule& schedule, const std::int64_t* step, float* value);
void evaluate_schedule(Cuda ctx, const Schedule& schedule, const std::int64_t* step, float* value);

}  // namespace gradflip
