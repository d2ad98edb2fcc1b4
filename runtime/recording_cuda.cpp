#include <cuda_runtime_api.h>

#include "kernels/cuda/check.h"
#include "kernels/cuda/device_scope.h"
#include "runtime/recording.h"

namespace gradflip {
namespace {

class CudaGraphRecording final : public Recording {
 public:
  CudaGraphRecording(Cuda ctx, cudaGraph_t graph) : ctx_(ctx), graph_(graph) {
    const cudaError_t error = cudaGraphInstantiate(&executable_, graph_, 0);
    if (error != cudaSuccess) {
      (void)cudaGraphDestroy(graph_);
      GRADFLIP_CUDA_CHECK(error);
    }
  }
  ~CudaGraphRecording() override {
    (void)cudaGraphExecDestroy(executable_);
    (void)cudaGraphDestroy(graph_);
  }

  // The scope asks for the thread's device, which is a variable; the driver has one call.
  void replay() override {
    const DeviceScope scope(ctx_);
    GRADFLIP_CUDA_CHECK(cudaGraphLaunch(executable_, ctx_.stream));
  }

  std::int64_t launches() const override {
    std::size_t nodes = 0;
    GRADFLIP_CUDA_CHECK(cudaGraphGetNodes(graph_, nullptr, &nodes));
    return static_cast<std::int64_t>(nodes);
  }

 private:
  Cuda ctx_;
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace

std::unique_ptr<Recording> record(Cuda ctx, const std::function<void()>& body) {
  const DeviceScope scope(ctx);
  // Relaxed: a kernel that is launched for the first time may have to be loaded, which other modes
  // forbid.
  GRADFLIP_CUDA_CHECK(cudaStreamBeginCapture(ctx.stream, cudaStreamCaptureModeRelaxed));
  cudaGraph_t graph = nullptr;
  try {
    body();
  } catch (...) {
    if (cudaStreamEndCapture(ctx.stream, &graph) == cudaSuccess) (void)cudaGraphDestroy(graph);
    throw;
  }
  GRADFLIP_CUDA_CHECK(cudaStreamEndCapture(ctx.stream, &graph));
  return std::make_unique<CudaGraphRecording>(ctx, graph);
}

}  // namespace gradflip
