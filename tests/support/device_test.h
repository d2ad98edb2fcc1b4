// A test of what runs on a device, for each backend.
#pragma once

#include "runtime/device.h"
#include "tests/support/backends.h"

namespace gradflip {

template <typename Ctx>
class DeviceTest : public BackendTest<Ctx> {
 protected:
  void SetUp() final {
    BackendTest<Ctx>::SetUp();
    if (this->IsSkipped() || this->HasFatalFailure()) return;
    device_ = select_device(Backend<Ctx>::kName);
    prepare();
  }

  // What SetUp() is elsewhere, where there is the device.
  virtual void prepare() {}

  Device device_;
};

}  // namespace gradflip
