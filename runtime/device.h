// Where a run computes: chosen once by name, then handed down as a context.
#pragma once

#include <string>

#include "kernels/context.h"

namespace gradflip {

struct Device {
  Context context;
  std::string name;    // the processor's or GPU's own name
  std::string reason;  // why this device: "asked for", or what "auto" found
};

// `name` is "auto" (a GPU if this build and this machine have one, else the CPU), "cpu", "cuda"
// (the first GPU) or "cuda:N". Throws std::invalid_argument for any other name, and DeviceError
// saying why and what to do if a GPU is asked for that cannot be had.
Device select_device(const std::string& name);

// Processors that this process may run on; at least 1.
int default_threads();

}  // namespace gradflip
