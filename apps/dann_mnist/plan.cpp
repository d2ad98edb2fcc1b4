#include "apps/dann_mnist/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/common/report/paper_rows.h"
#include "apps/common/usage_error.h"
#include "apps/dann_mnist/modes.h"
#include "models/recipe.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

void require_batch(const std::string& mode, const std::string& name, const Images& images,
                   std::int64_t batch, const char* option) {
  if (images.count >= batch) return;
  throw DataError(fmt::format(
      "{}: {} training picture{} {} fewer than the batch of {} that {} takes of them; use a "
      "smaller --batch or {}",
      name, images.count, images.count == 1 ? "" : "s", images.count == 1 ? "is" : "are", batch,
      mode, option));
}

void require_batches(const std::string& mode, const TrainingOptions& options,
                     const ExperimentData& data) {
  if (mode == kTargetOnly) {
    require_batch(mode, data.target_name, data.target_train.images, options.source_batch,
                  "--source-batch");
    return;
  }
  require_batch(mode, data.source_name, data.source_train.images, options.source_batch,
                "--source-batch");
  if (!method_of(mode).reads_target) return;
  require_batch(mode, data.target_name, data.target_train.images, options.target_batch,
                "--target-batch");
}

// A schedule over steps may come to nothing only by the end of a run whose length the data decide.
void require_lasting_schedules(const std::string& mode, const Recipe& recipe,
                               const ExperimentData& data) {
  const TrainingOptions& options = recipe.training;
  const Images& images = mode == kTargetOnly ? data.target_train.images : data.source_train.images;
  const std::int64_t steps = options.epochs * (images.count / options.source_batch);
  as_usage([&] { require_schedules(recipe, options.steps > 0 ? options.steps : steps); });
}

}  // namespace

bool wants_target_labels(const Arguments& arguments) {
  return std::count(arguments.modes.begin(), arguments.modes.end(), kTargetOnly) > 0;
}

Plan plan_of(const Arguments& arguments, LoadedData& loaded) {
  Plan plan{arguments.modes, arguments.seeds};
  ExperimentData& data = loaded.experiment;
  if (wants_target_labels(arguments) && !loaded.labelled_target) {
    if (plan.modes.size() == 1) {
      throw DataError(
          fmt::format("{}: has no training labels (train-labels-idx1-ubyte), which target-only "
                      "learns from; use --mode dann",
                      arguments.data.target->string()));
    }
    std::erase(plan.modes, kTargetOnly);
    data.notes.push_back(fmt::format("{} has no training labels: target-only is left out",
                                     arguments.data.target->string()));
  }
  for (const std::string& mode : plan.modes) {
    require_batches(mode, arguments.recipe.training, data);
    require_lasting_schedules(mode, arguments.recipe, data);
  }
  return plan;
}

}  // namespace gradflip
