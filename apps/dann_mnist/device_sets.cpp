#include "apps/dann_mnist/device_sets.h"

namespace gradflip {

DeviceSets::DeviceSets(const Context& context, const LoadedData& loaded)
    : source_train_(context, loaded.experiment.source_train, "source training set"),
      source_test_(context, loaded.experiment.source_test, "source test set") {
  const ExperimentData& data = loaded.experiment;
  if (loaded.labelled_target) {
    labelled_target_.emplace(context, *loaded.labelled_target, "target training set");
  } else {
    target_train_.emplace(context, data.target_train, "target training set");
  }
  if (data.target_test) target_test_.emplace(context, *data.target_test, "target test set");
}

const DeviceData& DeviceSets::target_train() const {
  if (labelled_target_) return *labelled_target_;
  return *target_train_;
}

}  // namespace gradflip
