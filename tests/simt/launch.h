// Starting kernels. include/kernels/cuda/simt.h is the header that kernel files see.
#pragma once

#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>

#include "cuda_runtime_api.h"
#include "tests/simt/kernel_call.h"

namespace simt {

// Enqueues the call on the stream: now, as a node of a graph, or when the stream is synchronised.
// Throws Error if the configuration or an argument is wrong and, if it runs at once, for whatever
// is wrong with the kernel. Otherwise the error of CUDA: that of an earlier launch, or of a
// capture.
cudaError_t enqueue(KernelCall call, cudaStream_t stream);

// Throws Error for a grid or a block that no device takes, or too much shared memory.
void check_configuration(const KernelCall& call);
// Throws Error for a pointer that is not into device memory: the host's, or one that was freed.
void check_pointers(const KernelCall& call);
// Runs all blocks, in the order that config() says. Throws Error for what the kernel does wrong.
void run_kernel(const KernelCall& call);

// The arguments of one launch, by value, with what runs one thread.
template <typename... Params>
struct Arguments {
  void (*kernel)(Params...);
  std::tuple<Params...> values;
  const void* pointers[sizeof...(Params) + 1];

  static void run_thread(const void* arguments) {
    const auto& self = *static_cast<const Arguments*>(arguments);
    std::apply(self.kernel, self.values);
  }
};

template <typename T>
const void* pointer_value(const T& argument) {
  if constexpr (std::is_pointer_v<T>) {
    static_assert(!std::is_function_v<std::remove_pointer_t<T>>,
                  "a function of the host has no address on the device");
    return const_cast<const void*>(static_cast<const volatile void*>(argument));
  } else {
    return nullptr;
  }
}

template <typename... Params, typename... Args>
cudaError_t launch(void (*kernel)(Params...), dim3 grid, dim3 block, std::size_t shared_bytes,
                   cudaStream_t stream, Args&&... args) {
  static_assert(sizeof...(Params) == sizeof...(Args),
                "the kernel takes another number of arguments");
  static_assert((std::is_trivially_copyable_v<Params> && ...),
                "arguments are copied to the device byte by byte");
  static_assert((sizeof(Params) + ... + 0) <= 4096, "arguments take at most 4 KiB");
  using Values = Arguments<Params...>;
  const std::tuple<Params...> values(static_cast<Params>(args)...);
  const auto arguments = std::apply(
      [&](const Params&... value) {
        return std::make_shared<Values>(Values{kernel, values, {pointer_value(value)..., nullptr}});
      },
      values);
  return enqueue({.kernel = reinterpret_cast<const void*>(kernel),
                  .grid = grid,
                  .block = block,
                  .shared_bytes = shared_bytes,
                  .arguments = arguments,
                  .argument_bytes = sizeof(Values),
                  .run_thread = Values::run_thread,
                  .pointers = arguments->pointers,
                  .num_arguments = static_cast<int>(sizeof...(Params))},
                 stream);
}

}  // namespace simt
