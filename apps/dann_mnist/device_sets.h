// The pictures of an experiment in the device's memory: each set once, whichever runs look at it.
#pragma once

#include <optional>

#include "apps/dann_mnist/data_sources.h"
#include "kernels/context.h"
#include "models/data/device_data.h"

namespace gradflip {

class DeviceSets {
 public:
  // `loaded` must outlive the sets. Throws what DeviceData does.
  DeviceSets(const Context& context, const LoadedData& loaded);

  const LabelledDeviceData& source_train() const { return source_train_; }
  const LabelledDeviceData& source_test() const { return source_test_; }
  // Without labels, as a type: where they were loaded, the same pictures as labelled_target()'s.
  const DeviceData& target_train() const;
  // Null where the experiment has none.
  const LabelledDeviceData* labelled_target() const { return pointer_to(labelled_target_); }
  const LabelledDeviceData* target_test() const { return pointer_to(target_test_); }

 private:
  static const LabelledDeviceData* pointer_to(const std::optional<LabelledDeviceData>& set) {
    return set ? &*set : nullptr;
  }

  LabelledDeviceData source_train_, source_test_;
  std::optional<DeviceData> target_train_;
  std::optional<LabelledDeviceData> labelled_target_, target_test_;
};

}  // namespace gradflip
