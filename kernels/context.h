// Where a kernel runs. The context is the first argument of every kernel, and overload resolution
// picks the backend. Compiles without CUDA headers; holds the only #if in the tree.
#pragma once

#include <variant>

struct CUstream_st;  // cudaStream_t is CUstream_st*

namespace gradflip {

// Kernels on this context run on the calling thread and return when they are done.
struct Cpu {};

// Kernels on this context are enqueued on the stream; pointers are device pointers.
struct Cuda {
  CUstream_st* stream = nullptr;
};

#if GRADFLIP_WITH_CUDA
using Context = std::variant<Cpu, Cuda>;
#else
using Context = std::variant<Cpu>;
#endif

}  // namespace gradflip
