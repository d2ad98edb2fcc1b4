// The state behind the runtime API, and how a call enters it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cuda_runtime_api.h"
#include "tests/simt/capture.h"
#include "tests/simt/error.h"
#include "tests/simt/stream.h"

namespace simt {

class Runtime {
 public:
  std::recursive_mutex mutex;  // kernels run one at a time, whichever thread launches them

  // Errors. After a kernel failed where no exception could tell, every call returns that error
  // until cudaDeviceReset; its message is cudaGetErrorString's.
  cudaError_t device_error() const { return device_error_; }
  const std::string& device_message() const { return device_message_; }
  cudaError_t note(cudaError_t error);
  cudaError_t device_failed(cudaError_t error, const std::string& message);
  cudaError_t last_error() const { return device_error_ != cudaSuccess ? device_error_ : last_; }
  void forget_last_error() { last_ = cudaSuccess; }

  // Streams. Null for a handle that is not one.
  CUstream_st* find(cudaStream_t handle);
  CUstream_st* create_stream(bool blocking);
  void destroy_stream(CUstream_st* stream);
  cudaError_t enqueue(cudaStream_t handle, Operation operation);
  // Later work of the stream comes after the marker.
  void wait(CUstream_st* stream, const Marker& marker);
  // Runs everything, the newest stream first.
  void run_all();

  // Whether a call may be made while something captures; if not, the capture becomes invalid.
  cudaError_t may_use(CUstream_st* stream);  // the default stream takes turns with others
  cudaError_t may_synchronize(CUstream_st* stream);
  cudaError_t may_synchronize_device();
  cudaError_t may_call_unsafe();
  bool default_stream_is_blocked() const;  // by the capture of a stream that takes turns with it
  void end_capture(const std::shared_ptr<Capture>& capture);

  void reset();

  std::set<cudaEvent_t> events;
  std::set<cudaGraph_t> graphs;
  std::set<cudaGraphExec_t> executables;
  std::set<void*> host_buffers;  // page-locked

  // What is known of a kernel on a device.
  struct Kernel {
    std::optional<std::size_t> dynamic_limit;  // that was asked for
    int carveout = -1;             // of shared memory, in percent; -1: the driver's choice
    std::size_t static_bytes = 0;  // as far as launches have shown
  };
  Kernel& kernel(int device, const void* address) { return kernels_[{device, address}]; }

 private:
  template <typename Predicate>
  bool invalidate_captures(Predicate affected);

  cudaError_t last_ = cudaSuccess;
  cudaError_t device_error_ = cudaSuccess;
  std::string device_message_;
  std::map<std::pair<int, const void*>, Kernel> kernels_;
  CUstream_st default_stream_{/*waits_for_legacy=*/true, /*of_device=*/0};
  std::vector<std::unique_ptr<CUstream_st>> streams_;  // the others, the oldest first
};

Runtime& runtime();

// Of the calling thread: what cudaSetDevice set, at first device 0.
int& current_device();
// What a block gets without asking, static variables included.
inline constexpr std::size_t kSharedWithoutAsking = 48 * 1024;

// A call of the C API: no exception leaves it.
template <typename F>
cudaError_t api(F body) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (r.device_error() != cudaSuccess) return r.device_error();
  try {
    return r.note(body(r));
  } catch (const Error& error) {
    return r.device_failed(cudaErrorLaunchFailure, error.what());
  } catch (const std::bad_alloc&) {
    return r.note(cudaErrorMemoryAllocation);
  }
}

}  // namespace simt
