// Pointers that lead to the wrong memory, and arguments that are out of date.
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::launch;

enum class Bug { kNone, kHost, kFreed, kCapturedValue };

__global__ void scale_kernel(float factor, const float* x, float* y) {
  y[threadIdx.x] = factor * x[threadIdx.x];
}

template <Bug kBug>
bool scale() {
  std::vector<float> x = ramp(64), expected = x;
  for (float& value : expected) value *= 2;
  DeviceArray<float> device_x(x), y(64);
  const float* const argument = kBug == Bug::kHost ? x.data() : device_x.data();
  if (kBug == Bug::kFreed) device_x.release();
  launch(scale_kernel, 1, 64, 0, nullptr, 2.0f, argument, y.data());
  return holds(y, expected);
}

// The same pointers inside an argument, where the launch cannot see them.
struct Operands {
  const float* x;
  float* y;
};
__global__ void scale_operands_kernel(float factor, Operands operands) {
  operands.y[threadIdx.x] = factor * operands.x[threadIdx.x];
}

template <Bug kBug>
bool scale_operands() {
  std::vector<float> x = ramp(64), expected = x;
  for (float& value : expected) value *= 2;
  DeviceArray<float> device_x(x), y(64);
  const Operands operands{kBug == Bug::kHost ? x.data() : device_x.data(), y.data()};
  if (kBug == Bug::kFreed) device_x.release();
  launch(scale_operands_kernel, 1, 64, 0, nullptr, 2.0f, operands);
  return holds(y, expected);
}

// One launch captured, replayed twice with a factor that changes between: as an argument it is
// captured by value, in device memory each replay reads it.
__global__ void scale_by_device_kernel(const float* factor, const float* x, float* y) {
  y[threadIdx.x] = factor[0] * x[threadIdx.x];
}

template <Bug kBug>
bool replay() {
  std::vector<float> x = ramp(64), expected = x;
  for (float& value : expected) value *= 3;
  DeviceArray<float> device_x(x), y(64), device_factor(std::vector<float>{2});
  float factor = 2;
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  if (kBug == Bug::kCapturedValue) {
    launch(scale_kernel, 1, 64, 0, stream, factor, device_x.data(), y.data());
  } else {
    launch(scale_by_device_kernel, 1, 64, 0, stream, device_factor.data(), device_x.data(),
           y.data());
  }
  check(cudaStreamEndCapture(stream, &graph));
  check(cudaGraphInstantiate(&executable, graph, 0));
  check(cudaGraphLaunch(executable, stream));
  check(cudaStreamSynchronize(stream));
  factor = 3;
  device_factor.set({factor});
  if (kBug == Bug::kFreed) device_x.release();
  check(cudaGraphLaunch(executable, stream));
  check(cudaStreamSynchronize(stream));
  check(cudaGraphExecDestroy(executable));
  check(cudaGraphDestroy(graph));
  check(cudaStreamDestroy(stream));
  return holds(y, expected);
}

constexpr Case kCases[] = {
    {"a scaled array", kRight, kRight, kRight, "", scale<Bug::kNone>},
    {"a host pointer as an argument", kError, kError, kError, "device memory", scale<Bug::kHost>},
    {"a freed buffer as an argument", kError, kError, kError, "", scale<Bug::kFreed>},
    {"pointers in a struct", kRight, kRight, kRight, "", scale_operands<Bug::kNone>},
    {"a host pointer in a struct", kRight, kRight, kError, "host memory",
     scale_operands<Bug::kHost>},
    {"a freed buffer in a struct", kRight | kWrong, kSanitizer, kError, "use of freed memory",
     scale_operands<Bug::kFreed>},
    {"a replay that reads its factor", kRight, kRight, kRight, "", replay<Bug::kNone>},
    {"a replay of a factor captured by value", kWrong, kWrong, kWrong, "",
     replay<Bug::kCapturedValue>},
    {"a replay after a buffer was freed", kError, kError, kError, "", replay<Bug::kFreed>},
};

}  // namespace

Theme pointers() { return {"Pointers and replays", kCases}; }

}  // namespace planted
