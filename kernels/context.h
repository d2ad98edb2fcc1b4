// Where a kernel runs. The context is the first argument of every kernel, and overload resolution
// picks the backend. Compiles without CUDA headers.
#pragma once

#include <cstdint>
#include <variant>

struct CUstream_st;  // cudaStream_t is CUstream_st*

namespace gradflip {

// Kernels on this context run on the calling thread and return when they are done.
struct Cpu {};

// What kernels are chosen and divided into blocks by: numbers of a GPU, which never change.
// kernels/cuda/gpu_traits.h asks CUDA for them.
//
// Results may depend on them, as far as the order of f32 sums goes: on multiprocessors where a sum
// is split so that all are at work (gradients of filters and of biases, the first layers of heads,
// matrix products large enough for gemm_pipelined), on block_shared_bytes where less than 98 KiB
// leave a convolution block to the engine. They do not depend on who else uses the GPU.
struct GpuTraits {
  int device = 0;      // as CUDA counts them
  int capability = 0;  // 90 for 9.0
  int multiprocessors = 0;
  std::int64_t block_shared_bytes = 0;  // that a block may ask for, its static ones included
};

// Kernels on this context are enqueued on the stream, which is one of the GPU's; pointers are
// device pointers. Whatever takes a context may be called on any thread, whichever device is its
// current one.
struct Cuda {
  CUstream_st* stream;
  const GpuTraits* gpu;  // not null; whoever makes the context keeps it (Device::resources)
};

#if GRADFLIP_WITH_CUDA
using Context = std::variant<Cpu, Cuda>;
#else
using Context = std::variant<Cpu>;
#endif

}  // namespace gradflip
