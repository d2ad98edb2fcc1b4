// The NVIDIA driver of this machine, asked without a CUDA toolkit and without linking to it.
#pragma once

#include <string>

namespace gradflip {

struct NvidiaDriver {
  bool loaded = false;    // its library could be loaded
  int gpus = 0;           // that this process may use
  std::string complaint;  // the driver's own words if it does not start, as "CUDA error 999"; empty
                          // otherwise
};

// Loads the driver's library on the first call and keeps it; later calls answer from memory.
const NvidiaDriver& nvidia_driver();

}  // namespace gradflip
