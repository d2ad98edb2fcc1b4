// Streams as queues that run as late as CUDA allows: what a program forgot to wait for is missing.
#include <cmath>
#include <string>
#include <vector>

#include "kernels/cuda/simt.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using gradflip::launch;

constexpr float kStale = -1;

__global__ void add_kernel(float value, const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x] + value;
}

class StreamTest : public EmulatorTest {
 protected:
  void SetUp() override { config().asynchronous = true; }

  cudaStream_t make_stream(unsigned flags = cudaStreamNonBlocking) {
    cudaStream_t stream = nullptr;
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream, flags), cudaSuccess);
    return stream;
  }
  cudaEvent_t make_event(unsigned flags = cudaEventDefault) {
    cudaEvent_t event = nullptr;
    EXPECT_EQ(cudaEventCreateWithFlags(&event, flags), cudaSuccess);
    return event;
  }
  // y = x + value
  static void add(cudaStream_t stream, float value, DeviceVector<float>& x,
                  DeviceVector<float>& y) {
    launch(add_kernel, 1, 4, 0, stream, value, x.data(), y.data());
  }
  static void copy_back(cudaStream_t stream, std::vector<float>& to, DeviceVector<float>& from) {
    ASSERT_EQ(cudaMemcpyAsync(to.data(), from.data(), to.size() * sizeof(float),
                              cudaMemcpyDeviceToHost, stream),
              cudaSuccess);
  }
};

TEST_F(StreamTest, AResultThatNobodyWaitedForIsStale) {
  const cudaStream_t stream = make_stream();
  DeviceVector<float> x(4, 1.0F);
  DeviceVector<float> y(4);
  std::vector<float> on_host(4, kStale);
  add(stream, 2, x, y);
  copy_back(stream, on_host, y);
  EXPECT_EQ(on_host, std::vector<float>(4, kStale));
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(on_host, std::vector<float>(4, 3.0F));
}

TEST_F(StreamTest, EagerlyItIsThereAtOnce) {
  config().asynchronous = false;
  const cudaStream_t stream = make_stream();
  DeviceVector<float> x(4, 1.0F);
  DeviceVector<float> y(4);
  std::vector<float> on_host(4, kStale);
  add(stream, 2, x, y);
  copy_back(stream, on_host, y);
  EXPECT_EQ(on_host, std::vector<float>(4, 3.0F));
}

TEST_F(StreamTest, WithoutAnEventTheNewerStreamRunsFirst) {
  const cudaStream_t producer = make_stream();
  const cudaStream_t consumer = make_stream();
  DeviceVector<float> x(4, 1.0F);
  DeviceVector<float> y(4, kStale);
  DeviceVector<float> z(4);
  add(producer, 1, x, y);
  add(consumer, 1, y, z);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(z.read(), std::vector<float>(4, kStale + 1));
}

TEST_F(StreamTest, AnEventOrdersTwoStreams) {
  const cudaStream_t producer = make_stream();
  const cudaStream_t consumer = make_stream();
  const cudaEvent_t done = make_event(cudaEventDisableTiming);
  DeviceVector<float> x(4, 1.0F);
  DeviceVector<float> y(4);
  DeviceVector<float> z(4);
  add(producer, 1, x, y);
  ASSERT_EQ(cudaEventRecord(done, producer), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(consumer, done), cudaSuccess);
  add(consumer, 1, y, z);
  // What the event meant when it was waited for counts, whatever happens to it later.
  ASSERT_EQ(cudaEventRecord(done, consumer), cudaSuccess);
  ASSERT_EQ(cudaEventDestroy(done), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(consumer), cudaSuccess);
  EXPECT_EQ(z.read(), std::vector<float>(4, 3.0F));
}

TEST_F(StreamTest, AnEventCoversOnlyWhatWasBeforeIt) {
  const cudaStream_t stream = make_stream();
  const cudaEvent_t between = make_event();
  DeviceVector<float> x(4, 1.0F);
  std::vector<float> first(4, kStale);
  std::vector<float> second(4, kStale);
  copy_back(stream, first, x);
  ASSERT_EQ(cudaEventRecord(between, stream), cudaSuccess);
  copy_back(stream, second, x);
  ASSERT_EQ(cudaEventSynchronize(between), cudaSuccess);
  EXPECT_EQ(first[0], 1.0F);
  EXPECT_EQ(second[0], kStale);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);  // before `second` goes
}

TEST_F(StreamTest, TheDefaultStreamTakesTurnsWithBlockingStreams) {
  const cudaStream_t blocking = make_stream(cudaStreamDefault);
  const cudaStream_t free = make_stream(cudaStreamNonBlocking);
  DeviceVector<float> x(4, 1.0F);
  DeviceVector<float> y(4);
  DeviceVector<float> z(4);
  std::vector<float> of_free(4, kStale);
  add(blocking, 1, x, y);
  copy_back(free, of_free, x);
  add(nullptr, 1, y, y);   // after the blocking stream
  add(blocking, 1, y, z);  // after the default stream
  ASSERT_EQ(cudaStreamSynchronize(blocking), cudaSuccess);
  std::vector<float> result(4);
  ASSERT_EQ(cudaMemcpy(result.data(), z.data(), 16, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(result, std::vector<float>(4, 4.0F));
  EXPECT_EQ(of_free[0], kStale);  // nobody waited for that one
  ASSERT_EQ(cudaStreamSynchronize(free), cudaSuccess);
}

TEST_F(StreamTest, ASynchronousCopyDoesNotWaitForANonBlockingStream) {
  const cudaStream_t stream = make_stream(cudaStreamNonBlocking);
  DeviceVector<float> x(4, 1.0F);
  DeviceVector<float> y(4);
  add(stream, 1, x, y);
  for (const float value : y.read()) EXPECT_TRUE(std::isnan(value));
}

TEST_F(StreamTest, ArgumentsAreThoseOfTheLaunch) {
  const cudaStream_t stream = make_stream();
  DeviceVector<float> x(4, 1.0F);
  DeviceVector<float> y(4);
  float value = 1;
  launch(add_kernel, 1, 4, 0, stream, value, x.data(), y.data());
  value = 100;
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(y.read(), std::vector<float>(4, 2.0F));
}

TEST_F(StreamTest, PollingComesToAnEnd) {
  const cudaStream_t stream = make_stream();
  const cudaEvent_t done = make_event();
  DeviceVector<float> x(4, 1.0F);
  DeviceVector<float> y(4);
  EXPECT_EQ(cudaStreamQuery(stream), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(done), cudaSuccess);  // never recorded
  add(stream, 1, x, y);
  add(stream, 1, y, y);
  ASSERT_EQ(cudaEventRecord(done, stream), cudaSuccess);
  int polls = 0;
  while (cudaEventQuery(done) == cudaErrorNotReady) ++polls;
  EXPECT_GT(polls, 0);
  EXPECT_EQ(cudaStreamQuery(stream), cudaSuccess);
  EXPECT_EQ(y.read(), std::vector<float>(4, 3.0F));
}

TEST_F(StreamTest, ElapsedTimeNeedsTwoFinishedEvents) {
  const cudaStream_t stream = make_stream();
  const cudaEvent_t start = make_event();
  const cudaEvent_t end = make_event();
  const cudaEvent_t untimed = make_event(cudaEventDisableTiming);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorInvalidResourceHandle);
  ASSERT_EQ(cudaEventRecord(start, stream), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(end, stream), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(untimed, stream), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
  ASSERT_EQ(cudaEventSynchronize(end), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaSuccess);
  EXPECT_GE(milliseconds, 0.0F);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, untimed), cudaErrorInvalidResourceHandle);
}

TEST_F(StreamTest, FreeingWaitsForTheWorkThatUsesTheMemory) {
  const cudaStream_t stream = make_stream();
  DeviceVector<float> y(4);
  {
    DeviceVector<float> x(4, 1.0F);
    add(stream, 1, x, y);
  }
  EXPECT_EQ(y.read(), std::vector<float>(4, 2.0F));
}

TEST_F(StreamTest, AStreamThatIsDestroyedFinishesItsWork) {
  const cudaStream_t stream = make_stream();
  DeviceVector<float> x(4, 1.0F);
  DeviceVector<float> y(4);
  add(stream, 1, x, y);
  ASSERT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  EXPECT_EQ(y.read(), std::vector<float>(4, 2.0F));
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
  EXPECT_THROW(add(stream, 1, x, y), gradflip::CudaError);
}

__global__ void divergent_kernel() {
  if (threadIdx.x == 0) __syncthreads();
}

TEST_F(StreamTest, AWrongKernelInAQueueLeavesTheDeviceInError) {
  const cudaStream_t stream = make_stream();
  launch(divergent_kernel, 1, 32, 0, stream);
  testing::internal::CaptureStderr();
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorLaunchFailure);
  const std::string message = testing::internal::GetCapturedStderr();
  EXPECT_NE(message.find("simt: divergent barrier or deadlock"), std::string::npos) << message;
  EXPECT_EQ(cudaGetErrorString(cudaErrorLaunchFailure) + std::string("\n"), message);
  // No call works any more, and a launch says why.
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorLaunchFailure);
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorLaunchFailure);
  try {
    launch(divergent_kernel, 1, 1, 0, nullptr);
    ADD_FAILURE() << "the launch was accepted";
  } catch (const gradflip::CudaError& error) {
    EXPECT_NE(std::string(error.what()).find("divergent barrier"), std::string::npos);
  }
}

TEST_F(StreamTest, HandlesThatAreNone) {
  auto* nonsense = reinterpret_cast<cudaStream_t>(0x1234);
  EXPECT_EQ(cudaStreamSynchronize(nonsense), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamDestroy(nullptr), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventRecord(nullptr, nullptr), cudaErrorInvalidResourceHandle);
  cudaStream_t stream = nullptr;
  EXPECT_EQ(cudaStreamCreateWithFlags(&stream, 7), cudaErrorInvalidValue);
}

}  // namespace
}  // namespace simt
