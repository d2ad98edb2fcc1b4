// A device cannot be had, or failed while it was in use.
#pragma once

#include <stdexcept>

namespace gradflip {

struct DeviceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The device's own memory does not suffice.
struct DeviceMemoryError : DeviceError {
  using DeviceError::DeviceError;
};

}  // namespace gradflip
