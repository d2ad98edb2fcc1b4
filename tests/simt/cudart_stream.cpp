// Streams and events of the runtime API.
#include "tests/simt/runtime.h"

namespace {

using simt::api;
using simt::Capture;
using simt::Runtime;
using Clock = CUevent_st::Clock;

// Runs `body` with the stream of the handle, if it is one.
template <typename F>
cudaError_t with_stream(cudaStream_t handle, F body) {
  return api([&](Runtime& r) {
    CUstream_st* stream = r.find(handle);
    return stream == nullptr ? cudaErrorInvalidResourceHandle : body(r, stream);
  });
}

template <typename F>
cudaError_t with_event(cudaEvent_t event, F body) {
  return api([&](Runtime& r) {
    return r.events.count(event) == 0 ? cudaErrorInvalidResourceHandle : body(r);
  });
}

bool was_captured(const CUevent_st& event) { return event.captured_on != nullptr; }

cudaError_t wait_captured(Runtime& r, CUstream_st* stream, const CUevent_st& event) {
  const std::shared_ptr<Capture> capture = event.capture.lock();
  if (capture == nullptr) return cudaErrorCapturedEvent;  // of a capture that is over
  if (!capture->valid()) return cudaErrorStreamCaptureInvalidated;
  if (stream->capture != nullptr && stream->capture != capture) {
    stream->capture->invalidate();
    capture->invalidate();
    return cudaErrorStreamCaptureMerge;
  }
  if (stream == r.find(nullptr)) {
    capture->invalidate();
    return cudaErrorStreamCaptureImplicit;
  }
  stream->capture = capture;
  capture->wait_event(stream, event);
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return api([&](Runtime& r) {
    if (flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    *stream = r.create_stream(/*blocking=*/flags == cudaStreamDefault);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return with_stream(handle, [](Runtime& r, CUstream_st* stream) {
    if (stream == r.find(nullptr)) return cudaErrorInvalidResourceHandle;
    r.destroy_stream(stream);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return with_stream(handle, [](Runtime& r, CUstream_st* stream) {
    if (const cudaError_t error = r.may_synchronize(stream); error != cudaSuccess) return error;
    stream->mark().reach();
    return cudaSuccess;
  });
}

// Each query lets one piece of work run, so that a program that polls comes to an end.
cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return with_stream(handle, [](Runtime& r, CUstream_st* stream) {
    if (const cudaError_t error = r.may_synchronize(stream); error != cudaSuccess) return error;
    if (stream->queue->empty()) return cudaSuccess;
    stream->queue->run_one();
    return cudaErrorNotReady;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned flags) {
  return with_stream(handle, [&](Runtime& r, CUstream_st* stream) {
    if (r.events.count(event) == 0) return cudaErrorInvalidResourceHandle;
    if (flags != 0) return cudaErrorInvalidValue;
    if (was_captured(*event)) return wait_captured(r, stream, *event);
    if (event->marker.queue == nullptr) return cudaSuccess;  // never recorded: nothing to wait for
    if (stream->capture != nullptr) {
      stream->capture->invalidate();
      return cudaErrorStreamCaptureIsolation;
    }
    r.wait(stream, event->marker);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return api([&](Runtime& r) {
    if ((flags & ~(cudaEventBlockingSync | cudaEventDisableTiming)) != 0) {
      return cudaErrorInvalidValue;
    }
    *event = new CUevent_st;
    (*event)->timing = (flags & cudaEventDisableTiming) == 0;
    r.events.insert(*event);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return with_event(event, [&](Runtime& r) {
    r.events.erase(event);
    delete event;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  return with_event(event, [&](Runtime& r) {
    CUstream_st* stream = r.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture != nullptr) {
      if (!stream->capture->valid()) return cudaErrorStreamCaptureInvalidated;
      event->marker = {};
      event->capture = stream->capture;
      stream->capture->record_event(stream, *event);
      return cudaSuccess;
    }
    event->captured_on = nullptr;
    event->capture.reset();
    event->time = std::make_shared<Clock::time_point>();
    const cudaError_t error =
        r.enqueue(handle, {cudaGraphNodeTypeEmpty, [time = event->time] { *time = Clock::now(); }});
    event->marker = stream->mark();
    return error;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return with_event(event, [&](Runtime&) {
    if (was_captured(*event)) return cudaErrorCapturedEvent;
    if (event->marker.queue != nullptr) event->marker.reach();
    return cudaSuccess;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return with_event(event, [&](Runtime&) {
    if (was_captured(*event)) return cudaErrorCapturedEvent;
    if (event->marker.queue == nullptr || event->marker.reached()) return cudaSuccess;
    event->marker.queue->run_one();
    return cudaErrorNotReady;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return with_event(start, [&](Runtime& r) {
    if (r.events.count(end) == 0) return cudaErrorInvalidResourceHandle;
    for (const CUevent_st* event : {start, end}) {
      if (was_captured(*event)) return cudaErrorCapturedEvent;
      if (!event->timing || event->marker.queue == nullptr) return cudaErrorInvalidResourceHandle;
      if (!event->marker.reached()) return cudaErrorNotReady;
    }
    *milliseconds = std::chrono::duration<float, std::milli>(*end->time - *start->time).count();
    return cudaSuccess;
  });
}

}  // extern "C"
