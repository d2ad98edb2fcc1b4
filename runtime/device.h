// Where a run computes: chosen once by name, then handed down as a context.
#pragma once

#include <memory>
#include <string>

#include "kernels/context.h"
#include "kernels/math_mode.h"

namespace gradflip {

struct Device {
  Context context;
  std::string name;    // the processor's or GPU's own name
  std::string reason;  // why this device: "asked for", or what "auto" found
  std::shared_ptr<const void>
      resources{};  // what the context refers to: keep it while the context is used
};

// Whether `name` is one that select_device() takes, on any machine.
bool is_device_name(const std::string& name);

// `name` is "auto" (a GPU if this build and this machine have one, else the CPU), "cpu", "cuda"
// (the first GPU) or "cuda:N". Throws std::invalid_argument for any other name, and DeviceError
// saying why and what to do if a GPU is asked for that cannot be had. A context works on every
// thread, whichever device CUDA has as that thread's current one.
Device select_device(const std::string& name);

// Whether kernels on this context make use of the permission to round so (kernels/math_mode.h).
bool computes_in(const Context& context, Math math);

// Processors that this process may run on; at least 1.
int default_threads();

}  // namespace gradflip
