// Values that follow training progress, evaluated in the context's memory so that a captured step
// needs no host.
//
//   kConstant       start
//   kSigmoidRamp    start * (2 / (1 + exp(-gamma * p)) - 1)      JMLR 2016, section 5.2.2: lambda_p
//   kProgressDecay  start / (1 + alpha * p)^beta                 JMLR 2016, section 5.2.2: mu_p
//   kStepDecay      start * (1 + gamma * step)^-beta             per iteration, as in DeepDA
//   kCosine         start * (end + (1 - end) * (cos(arc * p) - cos(arc)) / (1 - cos(arc)))
//   kLinear         start * (1 - (1 - end) * p)
// step counts from first_step, before which it is 0; p = step / total_steps, in [0, 1]. The last
// two go from start to start * end. An arc of pi is half a turn (Loshchilov & Hutter, ICLR 2017);
// where cos(arc) = end, it is start * cos(arc * p), as in FixMatch and AdaMatch.
//
// A warm-up multiplies any of them: while step < warmup_steps, by (step + 1) / warmup_steps.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "kernels/context.h"
#include "kernels/host_device.h"

namespace gradflip {

struct Schedule {
  enum class Kind { kConstant, kSigmoidRamp, kProgressDecay, kStepDecay, kCosine, kLinear };
  Kind kind = Kind::kConstant;
  double start = 0.0;
  double alpha = 0.0, beta = 0.0, gamma = 0.0;
  double end = 0.0;
  double arc = std::numbers::pi;  // in (0, pi]
  std::int64_t total_steps = 1;   // > 0
  std::int64_t first_step = 0;
  std::int64_t warmup_steps = 0;  // 0: none
};

// sin(x) for x in [0, pi], by its series. A library's reduces arguments of any size, for which a
// kernel would need memory of its own.
GRADFLIP_HOST_DEVICE inline double sine_in_half_turn(double x) {
  if (x > 0.5 * std::numbers::pi) x = std::numbers::pi - x;
  double series = 0.0;
  for (int n = 23; n > 1; n -= 2) series = (1.0 + series) * -(x * x) / (n * (n - 1.0));
  return x * (1.0 + series);
}

// At a step that counts from first_step, without the warm-up.
GRADFLIP_HOST_DEVICE inline double unwarmed_schedule_at(const Schedule& schedule,
                                                        std::int64_t step) {
  const auto total = static_cast<double>(schedule.total_steps);
  const bool is_over = step >= schedule.total_steps;
  const double p = is_over ? 1.0 : static_cast<double>(step) / total;
  const double left = is_over ? 0.0 : static_cast<double>(schedule.total_steps - step) / total;
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
    case Schedule::Kind::kCosine: {
      // cos(arc p) - cos(arc), of what it is at 0: as products, which lose no digits near the end.
      const double half = 0.5 * schedule.arc, whole = sine_in_half_turn(half);
      const double share =
          sine_in_half_turn(half * (1.0 + p)) * sine_in_half_turn(half * left) / (whole * whole);
      return schedule.start * (share + schedule.end * (1.0 - share));
    }
    case Schedule::Kind::kLinear:
      return schedule.start * (left + schedule.end * p);
  }
  return schedule.start;
}

// The formulas above, in double; the one place that holds them. Steps past total_steps keep p = 1.
GRADFLIP_HOST_DEVICE inline double schedule_at(const Schedule& schedule, std::int64_t step) {
  step = step > schedule.first_step ? step - schedule.first_step : 0;
  const double value = unwarmed_schedule_at(schedule, step);
  return step < schedule.warmup_steps
             ? value * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup_steps)
             : value;
}

// *value = schedule_at(schedule, *step), rounded to float. Both pointers are in the context's
// memory.
void evaluate_schedule(Cpu ctx, const Schedule& schedule, const std::int64_t* step, float* value);
void evaluate_schedule(Cuda ctx, const Schedule& schedule, const std::int64_t* step, float* value);

}  // namespace gradflip
