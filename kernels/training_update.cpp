// Composed of the kernels that it stands for: the reference of the fused one.
#include "kernels/training_update.h"

#include "kernels/advance_step.h"
#include "kernels/require.h"

namespace gradflip {

void require_valid(const TrainingUpdate& update) {
  GRADFLIP_REQUIRE(update.size >= 0 && update.losses.size() <= kMaxGuardedLosses,
                   message("training_update: ", update.size, " weights (>= 0), ",
                           update.losses.size(), " losses (<= ", kMaxGuardedLosses, ")"));
  GRADFLIP_REQUIRE(!update.options.nesterov, "training_update: momentum is not Nesterov's here");
  require_valid_record(update.recorded.size(), update.capacity);
}

void training_update(Cpu ctx, const TrainingUpdate& update) {
  require_valid(update);
  record_scalars(ctx, update.recorded, update.step, update.capacity, update.ring);
  std::int32_t quantity = 0;
  for (const float* loss : update.losses) {
    check_finite(ctx, 1, loss, quantity++, update.step, update.guard);
  }
  check_reported(ctx, update.state, quantity, update.step, update.guard);
  sgd(ctx, {.options = update.options,
            .size = update.size,
            .learning_rate = update.learning_rate,
            .frozen = &update.guard->frozen,
            .gradient = update.gradient,
            .weight = update.weight,
            .velocity = update.velocity});
  advance_step(ctx, update.step);
}

}  // namespace gradflip
