#include "tests/simt/runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/simt/config.h"
#include "tests/simt/device_memory.h"
#include "tests/simt/launch.h"

namespace simt {

Runtime& runtime() {
  static auto* runtime = new Runtime;  // never destroyed: static buffers may be freed after it
  return *runtime;
}

int& current_device() {
  thread_local int device = 0;
  return device;
}

cudaError_t Runtime::note(cudaError_t error) {
  if (error != cudaSuccess) last_ = error;
  return error;
}

cudaError_t Runtime::device_failed(cudaError_t error, const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  device_error_ = error;
  device_message_ = message;
  default_stream_.queue->drop_all();
  for (const auto& stream : streams_) stream->queue->drop_all();
  return error;
}

CUstream_st* Runtime::find(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) return &default_stream_;
  const auto is_it = [handle](const auto& stream) { return stream.get() == handle; };
  return std::any_of(streams_.begin(), streams_.end(), is_it) ? handle : nullptr;
}

CUstream_st* Runtime::create_stream(bool blocking) {
  streams_.push_back(std::make_unique<CUstream_st>(blocking, current_device()));
  return streams_.back().get();
}

void Runtime::destroy_stream(CUstream_st* stream) {
  if (stream->capture != nullptr) {
    stream->capture->invalidate();
    stream->capture->forget(stream);
  }
  stream->mark().reach();
  std::erase_if(streams_, [stream](const auto& other) { return other.get() == stream; });
}

cudaError_t Runtime::enqueue(cudaStream_t handle, Operation operation) {
  CUstream_st* stream = find(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (stream->capture != nullptr) return stream->capture->record(stream, std::move(operation));
  if (const cudaError_t error = may_use(stream); error != cudaSuccess) return error;

  // The default stream and those that block take turns.
  std::vector<Marker> after;
  const auto wait_for = [&after](const CUstream_st& other) {
    if (!other.queue->empty()) after.push_back(other.mark());
  };
  if (stream == &default_stream_) {
    for (const auto& other : streams_) {
      if (other->blocking) wait_for(*other);
    }
  } else if (stream->blocking) {
    wait_for(default_stream_);
  }
  stream->queue->push(std::move(after), std::move(operation.run));
  if (!config().asynchronous) stream->mark().reach();
  return cudaSuccess;
}

void Runtime::wait(CUstream_st* stream, const Marker& marker) {
  if (!marker.reached()) stream->queue->push({marker}, nullptr);
}

void Runtime::run_all() {
  for (std::size_t s = streams_.size(); s-- > 0;) streams_[s]->mark().reach();
  default_stream_.mark().reach();
}

template <typename Predicate>
bool Runtime::invalidate_captures(Predicate affected) {
  bool any = false;
  for (const auto& stream : streams_) {
    if (stream->capture == nullptr || !affected(*stream)) continue;
    stream->capture->invalidate();
    any = true;
  }
  return any;
}

bool Runtime::default_stream_is_blocked() const {
  return std::any_of(streams_.begin(), streams_.end(), [](const auto& stream) {
    return stream->blocking && stream->capture != nullptr;
  });
}

cudaError_t Runtime::may_use(CUstream_st* stream) {
  if (stream != &default_stream_) return cudaSuccess;
  return invalidate_captures([](const CUstream_st& s) { return s.blocking; })
             ? cudaErrorStreamCaptureImplicit
             : cudaSuccess;
}

cudaError_t Runtime::may_synchronize(CUstream_st* stream) {
  if (stream->capture == nullptr) return may_use(stream);
  stream->capture->invalidate();
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t Runtime::may_synchronize_device() {
  return invalidate_captures([](const CUstream_st&) { return true; })
             ? cudaErrorStreamCaptureUnsupported
             : cudaSuccess;
}

cudaError_t Runtime::may_call_unsafe() {
  return invalidate_captures([](const CUstream_st& s) { return s.capture->forbids_unsafe_calls(); })
             ? cudaErrorStreamCaptureUnsupported
             : cudaSuccess;
}

void Runtime::end_capture(const std::shared_ptr<Capture>& capture) {
  for (CUstream_st* stream : capture->streams()) stream->capture = nullptr;
}

void Runtime::reset() {
  default_stream_.queue->drop_all();
  for (const auto& stream : streams_) stream->queue->drop_all();
  streams_.clear();
  for (cudaEvent_t event : events) delete event;
  for (cudaGraph_t graph : graphs) delete graph;
  for (cudaGraphExec_t executable : executables) delete executable;
  for (void* buffer : host_buffers) std::free(buffer);
  events.clear();
  graphs.clear();
  executables.clear();
  host_buffers.clear();
  kernels_.clear();
  device_memory().release_all();
  device_error_ = cudaSuccess;
  device_message_.clear();
  last_ = cudaSuccess;
}

namespace {

// Sets the call's device and limit; what CUDA says of a launch that it refuses.
cudaError_t prepare(Runtime& r, KernelCall& call, cudaStream_t handle) {
  const CUstream_st* stream = r.find(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  const bool is_default = stream == r.find(nullptr);
  call.device = current_device();
  if (!is_default && stream->device != call.device) return cudaErrorInvalidResourceHandle;
  const Runtime::Kernel& kernel = r.kernel(call.device, call.kernel);
  const bool asked = kernel.dynamic_limit.has_value();
  call.shared_limit = asked ? config().block_shared_bytes : kSharedWithoutAsking;
  if (asked && call.shared_bytes > *kernel.dynamic_limit) return cudaErrorInvalidValue;
  const bool fits = kernel.static_bytes + call.shared_bytes <= call.shared_limit;
  return fits ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace

cudaError_t enqueue(KernelCall call, cudaStream_t stream) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (r.device_error() != cudaSuccess) return r.device_error();
  check_configuration(call);
  if (const cudaError_t error = prepare(r, call, stream); error != cudaSuccess) {
    return r.note(error);
  }
  check_pointers(call);
  try {
    return r.note(r.enqueue(
        stream, {cudaGraphNodeTypeKernel, [call = std::move(call)] { run_kernel(call); }}));
  } catch (const LaunchRefused& refused) {
    std::fprintf(stderr, "%s\n", refused.what());
    return r.note(cudaErrorInvalidValue);
  }
}

}  // namespace simt
