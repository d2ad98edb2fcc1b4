// A launch as data: what runs, on which grid, with a copy of the arguments. It can wait in a stream
// or in a graph and run many times.
#pragma once

#include <cstddef>
#include <memory>

#include "vector_types.h"

namespace simt {

struct KernelCall {
  const void* kernel = nullptr;  // the function's address: its name is looked up from it
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;  // dynamic
  std::size_t shared_limit = 0;  // of static and dynamic, when it was launched
  int device = 0;                // of the stream
  std::shared_ptr<const void> arguments;
  std::size_t argument_bytes = 0;
  void (*run_thread)(const void* arguments) = nullptr;
  // Of each argument: its value if it is a pointer, else null. Part of the arguments' memory.
  const void* const* pointers = nullptr;
  int num_arguments = 0;
};

}  // namespace simt
