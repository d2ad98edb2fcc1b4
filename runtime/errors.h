// What can go wrong outside the program. Each type is one documented exit code of the apps
// (docs/exit-codes.md); a message is one line: what, where (file, byte, step), and how to mend it.
// A caller's own mistake is std::invalid_argument (kernels/require.h), which the apps take for a
// bug of theirs: what a user says is checked and refused before it gets this far.
#pragma once

#include <stdexcept>

#include "kernels/device_error.h"  // 5: DeviceError; 9: DeviceMemoryError, as std::bad_alloc

namespace gradflip {

// 3: a data file or folder is missing, truncated, malformed or does not fit the task.
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// 4: a model or checkpoint file is invalid or does not fit the network.
struct ModelFileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// 6: the operating system refused to read, to write, or to start a thread.
struct IoError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// 7: training produced a NaN or an infinity.
struct DivergedError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// 9: out of memory over one thing that is too large, which the message names; std::bad_alloc is the
// same where nothing is to be named.
struct MemoryError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace gradflip
