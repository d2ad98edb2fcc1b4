// What a build knows about GPUs. Defined by device_cuda.cpp in a build with the CUDA backend and by
// device_no_cuda.cpp in one without; CMake picks the file.
#pragma once

#include <string>
#include <variant>

#include "runtime/device.h"

namespace gradflip {

// Why a GPU cannot be had, and what to do about it: two halves of a sentence, without punctuation
// at the end.
struct NoCudaDevice {
  std::string why;
  std::string remedy;
};

// GPU `ordinal` (from 0), ready for use, with an empty reason.
std::variant<Device, NoCudaDevice> find_cuda_device(int ordinal);

}  // namespace gradflip
