// One thread evaluates the formula that the CPU evaluates. The cost is the launch.
//
// Numerics  exp and pow in double may differ from the host's in the last bit, the float that is
//           kept therefore only where it lies on the edge between two.
#include "kernels/cuda/simt.h"
#include "kernels/require.h"
#include "kernels/schedule.h"

namespace gradflip {
namespace {

__global__ void evaluate_schedule_kernel(Schedule schedule, const std::int64_t* step,
                                         float* value) {
  *value = static_cast<float>(schedule_at(schedule, *step));
}

}  // namespace

void evaluate_schedule(Cuda ctx, const Schedule& schedule, const std::int64_t* step, float* value) {
  GRADFLIP_REQUIRE(schedule.total_steps > 0,
                   message("schedule: total_steps is ", schedule.total_steps, ", must be > 0"));
  launch(evaluate_schedule_kernel, 1, 1, 0, ctx, schedule, step, value);
}

}  // namespace gradflip
