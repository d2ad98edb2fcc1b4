#include "kernels/schedule.h"

#include "kernels/require.h"

namespace gradflip {

void evaluate_schedule(Cpu /*ctx*/, const Schedule& schedule, const std::int64_t* step,
                       float* value) {
  GRADFLIP_REQUIRE(schedule.total_steps > 0,
                   message("schedule: total_steps is ", schedule.total_steps, ", must be > 0"));
  *value = static_cast<float>(schedule_at(schedule, *step));
}

}  // namespace gradflip
