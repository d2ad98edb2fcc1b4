#include <string>
#include <vector>

#include "kernels/cuda/simt.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using gradflip::launch;

__global__ void add_kernel(float value, float* x) { x[threadIdx.x] += value; }
__global__ void divergent_kernel(int threads) {
  if (static_cast<int>(threadIdx.x) < threads) __syncthreads();
}

// Work runs at once, and as late as possible.
class CaptureTest : public EmulatorTest, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    config().asynchronous = GetParam();
    stream_ = make_stream(cudaStreamNonBlocking);
  }

  static cudaStream_t make_stream(unsigned flags) {
    cudaStream_t stream = nullptr;
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream, flags), cudaSuccess);
    return stream;
  }
  static cudaEvent_t make_event() {
    cudaEvent_t event = nullptr;
    EXPECT_EQ(cudaEventCreate(&event), cudaSuccess);
    return event;
  }
  void begin(cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed) {
    ASSERT_EQ(cudaStreamBeginCapture(stream_, mode), cudaSuccess);
  }
  cudaGraph_t end() {
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
    return graph;
  }
  // The capture was spoilt by an earlier call.
  void expect_invalidated() {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    EXPECT_EQ(cudaStreamIsCapturing(stream_, &status), cudaSuccess);
    EXPECT_EQ(status, cudaStreamCaptureStatusInvalidated);
    auto* graph = reinterpret_cast<cudaGraph_t>(&status);
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
    EXPECT_EQ(cudaStreamIsCapturing(stream_, &status), cudaSuccess);
    EXPECT_EQ(status, cudaStreamCaptureStatusNone);
  }
  static cudaGraphExec_t instantiate(cudaGraph_t graph) {
    cudaGraphExec_t executable = nullptr;
    EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    return executable;
  }
  static std::vector<cudaGraphNodeType> node_types(cudaGraph_t graph) {
    std::size_t count = 0;
    EXPECT_EQ(cudaGraphGetNodes(graph, nullptr, &count), cudaSuccess);
    std::vector<cudaGraphNode_t> nodes(count);
    EXPECT_EQ(cudaGraphGetNodes(graph, nodes.data(), &count), cudaSuccess);
    std::vector<cudaGraphNodeType> types;
    for (cudaGraphNode_t node : nodes) {
      EXPECT_EQ(cudaGraphNodeGetType(node, &types.emplace_back()), cudaSuccess);
    }
    return types;
  }
  static void add(cudaStream_t stream, float value, DeviceVector<float>& x) {
    launch(add_kernel, 1, 4, 0, stream, value, x.data());
  }
  std::vector<float> read(DeviceVector<float>& x) {
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    return x.read();
  }

  cudaStream_t stream_ = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Streams, CaptureTest, testing::Bool(), [](const auto& asynchronous) {
  return asynchronous.param ? "queued" : "eager";
});

TEST_P(CaptureTest, NothingRunsUntilTheGraphIsLaunched) {
  DeviceVector<float> x(4, 0.0F);
  DeviceVector<float> y(4, 7.0F);
  std::vector<float> on_host(4, -1.0F);
  begin();
  ASSERT_EQ(cudaMemsetAsync(x.data(), 0, 16, stream_), cudaSuccess);
  add(stream_, 1, x);
  add(stream_, 2, x);
  ASSERT_EQ(cudaMemcpyAsync(y.data(), x.data(), 16, cudaMemcpyDeviceToDevice, stream_),
            cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(on_host.data(), y.data(), 16, cudaMemcpyDeviceToHost, stream_),
            cudaSuccess);
  const cudaGraph_t graph = end();
  EXPECT_EQ(node_types(graph),
            (std::vector{cudaGraphNodeTypeMemset, cudaGraphNodeTypeKernel, cudaGraphNodeTypeKernel,
                         cudaGraphNodeTypeMemcpy, cudaGraphNodeTypeMemcpy}));
  EXPECT_EQ(read(y), std::vector<float>(4, 7.0F));

  const cudaGraphExec_t executable = instantiate(graph);
  ASSERT_EQ(cudaGraphDestroy(graph), cudaSuccess);  // the executable needs it no more
  ASSERT_EQ(cudaGraphLaunch(executable, stream_), cudaSuccess);
  EXPECT_EQ(read(y), std::vector<float>(4, 3.0F));
  EXPECT_EQ(on_host, std::vector<float>(4, 3.0F));
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
}

TEST_P(CaptureTest, ReplaysCarryTheArgumentsOfTheCapture) {
  DeviceVector<float> x(4, 0.0F);
  float value = 1;
  begin();
  add(stream_, value, x);
  const cudaGraphExec_t executable = instantiate(end());
  value = 100;  // a graph that read it again would add 100
  for (int replay = 0; replay < 3; ++replay) {
    ASSERT_EQ(cudaGraphLaunch(executable, stream_), cudaSuccess);
  }
  EXPECT_EQ(read(x), std::vector<float>(4, 3.0F));
}

TEST_P(CaptureTest, ReplaysKeepTheirPlaceInTheStream) {
  DeviceVector<float> x(4, 0.0F);
  begin();
  add(stream_, 1, x);
  const cudaGraphExec_t executable = instantiate(end());
  ASSERT_EQ(cudaGraphLaunch(executable, stream_), cudaSuccess);
  ASSERT_EQ(cudaMemsetAsync(x.data(), 0, 16, stream_), cudaSuccess);
  ASSERT_EQ(cudaGraphLaunch(executable, stream_), cudaSuccess);
  add(stream_, 10, x);
  EXPECT_EQ(read(x), std::vector<float>(4, 11.0F));
}

TEST_P(CaptureTest, AnEmptyGraphDoesNothing) {
  begin();
  const cudaGraph_t graph = end();
  EXPECT_TRUE(node_types(graph).empty());
  EXPECT_EQ(cudaGraphLaunch(instantiate(graph), stream_), cudaSuccess);
}

TEST_P(CaptureTest, AGraphWithinAGraph) {
  DeviceVector<float> x(4, 0.0F);
  begin();
  add(stream_, 1, x);
  add(stream_, 2, x);
  const cudaGraphExec_t inner = instantiate(end());
  begin();
  ASSERT_EQ(cudaGraphLaunch(inner, stream_), cudaSuccess);
  add(stream_, 10, x);
  const cudaGraph_t outer = end();
  EXPECT_EQ(node_types(outer), (std::vector{cudaGraphNodeTypeGraph, cudaGraphNodeTypeKernel}));
  ASSERT_EQ(cudaGraphLaunch(instantiate(outer), stream_), cudaSuccess);
  EXPECT_EQ(read(x), std::vector<float>(4, 13.0F));
}

TEST_P(CaptureTest, OtherStreamsJoinByAnEventAndMustBeJoined) {
  DeviceVector<float> x(4, 0.0F);
  DeviceVector<float> y(4, 0.0F);
  const cudaStream_t side = make_stream(cudaStreamNonBlocking);
  const cudaEvent_t fork = make_event();
  const cudaEvent_t join = make_event();
  begin();
  add(stream_, 1, x);
  ASSERT_EQ(cudaEventRecord(fork, stream_), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(side, fork), cudaSuccess);
  add(side, 2, y);
  ASSERT_EQ(cudaEventRecord(join, side), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(join), cudaErrorCapturedEvent);
  ASSERT_EQ(cudaStreamWaitEvent(stream_, join), cudaSuccess);
  add(stream_, 3, y);
  const cudaGraph_t graph = end();
  EXPECT_EQ(node_types(graph), std::vector(3, cudaGraphNodeTypeKernel));
  ASSERT_EQ(cudaGraphLaunch(instantiate(graph), stream_), cudaSuccess);
  EXPECT_EQ(read(x), std::vector<float>(4, 1.0F));
  EXPECT_EQ(y.read(), std::vector<float>(4, 5.0F));

  begin();
  ASSERT_EQ(cudaEventRecord(fork, stream_), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(side, fork), cudaSuccess);
  add(side, 2, y);
  ASSERT_EQ(cudaEventRecord(join, side), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(stream_, join), cudaSuccess);
  add(side, 2, y);  // after the join: nobody waits for it
  cudaGraph_t unjoined = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(side, &unjoined), cudaErrorStreamCaptureUnmatched);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &unjoined), cudaErrorStreamCaptureInvalidated);

  begin();
  ASSERT_EQ(cudaEventRecord(fork, stream_), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(side, fork), cudaSuccess);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &unjoined), cudaErrorStreamCaptureUnjoined);
  EXPECT_EQ(unjoined, nullptr);
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusActive;
  EXPECT_EQ(cudaStreamIsCapturing(side, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusNone);
}

TEST_P(CaptureTest, WorkOutsideTheCaptureCannotBeWaitedForInIt) {
  const cudaStream_t other = make_stream(cudaStreamNonBlocking);
  const cudaEvent_t event = make_event();
  ASSERT_EQ(cudaEventRecord(event, other), cudaSuccess);
  begin();
  EXPECT_EQ(cudaStreamWaitEvent(stream_, event), cudaErrorStreamCaptureIsolation);
  expect_invalidated();
}

TEST_P(CaptureTest, TheDefaultStreamCannotBeCaptured) {
  for (cudaStream_t stream : {cudaStream_t{nullptr}, cudaStreamLegacy}) {
    EXPECT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed),
              cudaErrorStreamCaptureUnsupported);
  }
}

TEST_P(CaptureTest, ACaptureBeginsOnceAndEndsOnce) {
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorIllegalState);
  begin();
  EXPECT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), cudaErrorIllegalState);
  EXPECT_EQ(cudaGraphDestroy(end()), cudaSuccess);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorIllegalState);
}

TEST_P(CaptureTest, SynchronisingSpoilsTheCapture) {
  begin();
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorStreamCaptureUnsupported);
  DeviceVector<float> x(4);
  EXPECT_EQ(cudaMemsetAsync(x.data(), 0, 16, stream_), cudaErrorStreamCaptureInvalidated);
  EXPECT_THROW(add(stream_, 1, x), gradflip::CudaError);
  expect_invalidated();
  begin();
  EXPECT_EQ(cudaStreamQuery(stream_), cudaErrorStreamCaptureUnsupported);
  expect_invalidated();
  begin();
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorStreamCaptureUnsupported);
  expect_invalidated();
}

TEST_P(CaptureTest, UnsafeCallsNeedTheRelaxedMode) {
  float on_host = 0;
  DeviceVector<float> x(1, 2.0F);
  void* memory = nullptr;
  for (const auto mode : {cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal}) {
    begin(mode);
    EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorStreamCaptureUnsupported);
    expect_invalidated();
    begin(mode);
    EXPECT_EQ(cudaMemcpy(&on_host, x.data(), 4, cudaMemcpyDeviceToHost),
              cudaErrorStreamCaptureUnsupported);
    expect_invalidated();
  }
  begin(cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaSuccess);
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(end()), cudaSuccess);
}

TEST_P(CaptureTest, TheDefaultStreamSpoilsACaptureOfABlockingStream) {
  DeviceVector<float> x(4, 0.0F);
  stream_ = make_stream(cudaStreamDefault);
  begin();
  EXPECT_EQ(cudaMemset(x.data(), 0, 16), cudaErrorStreamCaptureImplicit);
  expect_invalidated();
  begin();
  EXPECT_THROW(add(nullptr, 1, x), gradflip::CudaError);
  expect_invalidated();
  begin();
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  EXPECT_EQ(cudaStreamIsCapturing(nullptr, &status), cudaErrorStreamCaptureImplicit);
  EXPECT_EQ(cudaGraphDestroy(end()), cudaSuccess);  // that was only a question

  stream_ = make_stream(cudaStreamNonBlocking);
  begin();
  EXPECT_EQ(cudaMemset(x.data(), 0, 16), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(end()), cudaSuccess);
}

TEST_P(CaptureTest, WrongLaunchesAreFoundWhileCapturing) {
  float on_host = 0;
  begin();
  EXPECT_NE(error_of([&] { launch(add_kernel, 1, 4, 0, stream_, 1.0F, &on_host); }), "");
  EXPECT_NE(error_of([&] { launch(divergent_kernel, 1, 2000, 0, stream_, 1); }), "");
  EXPECT_TRUE(node_types(end()).empty());
}

TEST_P(CaptureTest, AWrongKernelIsFoundWhenItIsReplayed) {
  begin();
  launch(divergent_kernel, 1, 32, 0, stream_, 1);
  const cudaGraphExec_t executable = instantiate(end());
  testing::internal::CaptureStderr();
  (void)cudaGraphLaunch(executable, stream_);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("divergent barrier"), std::string::npos);
}

TEST_P(CaptureTest, MemoryThatWasFreedIsFoundWhenItIsReplayed) {
  const auto replay = [&](const std::function<void(DeviceVector<float>&)>& body) {
    {
      DeviceVector<float> x(4, 0.0F);
      begin();
      body(x);
    }
    const cudaGraphExec_t executable = instantiate(end());
    testing::internal::CaptureStderr();
    (void)cudaGraphLaunch(executable, stream_);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
    (void)cudaDeviceReset();
    stream_ = make_stream(cudaStreamNonBlocking);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_NE(replay([&](auto& x) { add(stream_, 1, x); }).find("argument 1 of kernel "),
            std::string::npos);
  EXPECT_EQ(replay([&](auto& x) { (void)cudaMemsetAsync(x.data(), 0, 16, stream_); }),
            "simt: a memset of device memory that was freed meanwhile\n");
}

}  // namespace
}  // namespace simt
