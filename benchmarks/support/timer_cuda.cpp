#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>

#include "benchmarks/support/timer.h"
#include "kernels/cuda/check.h"

namespace gradflip::bench {
namespace {

// Events tell about half a microsecond: a thousandth of this.
constexpr double kSampleSeconds = 500e-6;
constexpr int kMostCalls = 400;

class CudaTimer : public Timer {
 public:
  CudaTimer(Cuda ctx, std::vector<Operation> rotation)
      : stream_(ctx.stream), rotation_(std::move(rotation)) {
    GRADFLIP_CUDA_CHECK(cudaEventCreate(&begin_));
    GRADFLIP_CUDA_CHECK(cudaEventCreate(&end_));
    // Uncaptured first: kernels are loaded and libraries choose and allocate on their first call.
    for (const Operation& operation : rotation_) operation();
    GRADFLIP_CUDA_CHECK(cudaStreamSynchronize(stream_));
    record(static_cast<int>(rotation_.size()));
    (void)sample();
    const double round = sample().seconds;
    const auto rounds = static_cast<int>(
        std::clamp(std::ceil(kSampleSeconds / std::max(round, 1e-7)), 1.0,
                   static_cast<double>(std::max<std::size_t>(kMostCalls / rotation_.size(), 1))));
    if (rounds > 1) record(rounds * calls_);
    (void)sample();
  }
  ~CudaTimer() override {
    // A destructor must not throw; the next call reports what is wrong.
    if (graph_ != nullptr) (void)cudaGraphExecDestroy(graph_);
    (void)cudaEventDestroy(begin_);
    (void)cudaEventDestroy(end_);
  }

  Sample sample() override {
    GRADFLIP_CUDA_CHECK(cudaEventRecord(begin_, stream_));
    GRADFLIP_CUDA_CHECK(cudaGraphLaunch(graph_, stream_));
    GRADFLIP_CUDA_CHECK(cudaEventRecord(end_, stream_));
    GRADFLIP_CUDA_CHECK(cudaEventSynchronize(end_));
    float milliseconds = 0.0F;
    GRADFLIP_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin_, end_));
    return {milliseconds * 1e-3, calls_};
  }

 private:
  void record(int calls) {
    if (graph_ != nullptr) GRADFLIP_CUDA_CHECK(cudaGraphExecDestroy(graph_));
    graph_ = nullptr;
    GRADFLIP_CUDA_CHECK(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    for (int call = 0; call < calls; ++call) {
      rotation_[static_cast<std::size_t>(call) % rotation_.size()]();
    }
    cudaGraph_t graph = nullptr;
    GRADFLIP_CUDA_CHECK(cudaStreamEndCapture(stream_, &graph));
    const cudaError_t error = cudaGraphInstantiate(&graph_, graph, 0);
    (void)cudaGraphDestroy(graph);
    GRADFLIP_CUDA_CHECK(error);
    calls_ = calls;
  }

  cudaStream_t stream_;
  std::vector<Operation> rotation_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  cudaGraphExec_t graph_ = nullptr;
  int calls_ = 0;
};

}  // namespace

std::unique_ptr<Timer> start_timer(Cuda ctx, std::vector<Operation> rotation) {
  return std::make_unique<CudaTimer>(ctx, std::move(rotation));
}

}  // namespace gradflip::bench
