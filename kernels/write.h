// What a kernel does with old contents of an output, and the factor that it may apply on the way.
#pragma once

#include "kernels/host_device.h"

namespace gradflip {

enum class Write {
  kOverwrite,   // old contents are never read: they may be uninitialised or NaN
  kAccumulate,  // the result is added to the old contents
};

// factor * (times ? *times : 1). `times` lives in the context's memory, so that a captured launch
// can follow a value that changes from step to step: the learning rate or the reversal strength.
struct Scale {
  float factor = 1.0F;
  const float* times = nullptr;
};

GRADFLIP_HOST_DEVICE inline float value_of(const Scale& scale) {
  return scale.times == nullptr ? scale.factor : scale.factor * *scale.times;
}

}  // namespace gradflip
