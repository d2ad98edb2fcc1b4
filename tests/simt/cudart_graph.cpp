// Capture and graphs of the runtime API.
#include <algorithm>

#include "tests/simt/runtime.h"

namespace {

using simt::api;
using simt::Capture;
using simt::Runtime;

}  // namespace

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return api([&](Runtime& r) {
    CUstream_st* stream = r.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream == r.find(nullptr)) return cudaErrorStreamCaptureUnsupported;
    if (mode < cudaStreamCaptureModeGlobal || mode > cudaStreamCaptureModeRelaxed) {
      return cudaErrorInvalidValue;
    }
    if (stream->capture != nullptr) return cudaErrorIllegalState;
    stream->capture = std::make_shared<Capture>(stream, mode);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return api([&](Runtime& r) {
    CUstream_st* stream = r.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    *graph = nullptr;
    const std::shared_ptr<Capture> capture = stream->capture;
    if (capture == nullptr) return cudaErrorIllegalState;
    if (capture->origin() != stream) {
      capture->invalidate();
      return cudaErrorStreamCaptureUnmatched;
    }
    auto captured = std::make_unique<CUgraph_st>();
    const cudaError_t error = capture->end(&captured->nodes);
    r.end_capture(capture);
    if (error != cudaSuccess) return error;
    *graph = captured.release();
    r.graphs.insert(*graph);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return api([&](Runtime& r) {
    CUstream_st* stream = r.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream == r.find(nullptr) && r.default_stream_is_blocked()) {
      return cudaErrorStreamCaptureImplicit;
    }
    if (stream->capture == nullptr) {
      *status = cudaStreamCaptureStatusNone;
    } else {
      *status = stream->capture->valid() ? cudaStreamCaptureStatusActive
                                         : cudaStreamCaptureStatusInvalidated;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long flags) {
  return api([&](Runtime& r) {
    if (r.graphs.count(graph) == 0 || flags != 0) return cudaErrorInvalidValue;
    *executable = new CUgraphExec_st{graph->nodes};
    r.executables.insert(*executable);
    return cudaSuccess;
  });
}

// One piece of work of the stream; part of another graph if that stream captures.
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return api([&](Runtime& r) {
    if (r.executables.count(executable) == 0) return cudaErrorInvalidValue;
    return r.enqueue(stream, {cudaGraphNodeTypeGraph, [nodes = executable->nodes] {
                                for (const auto& node : nodes) node->operation.run();
                              }});
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return api([&](Runtime& r) {
    if (r.graphs.erase(graph) == 0) return cudaErrorInvalidValue;
    delete graph;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return api([&](Runtime& r) {
    if (r.executables.erase(executable) == 0) return cudaErrorInvalidValue;
    delete executable;
    return cudaSuccess;
  });
}

// Without `nodes`, says how many there are; with it, fills at most *count and the rest with null.
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  return api([&](Runtime& r) {
    if (r.graphs.count(graph) == 0 || count == nullptr) return cudaErrorInvalidValue;
    const std::size_t available = graph->nodes.size();
    if (nodes == nullptr) {
      *count = available;
      return cudaSuccess;
    }
    for (std::size_t n = 0; n < *count; ++n) {
      nodes[n] = n < available ? graph->nodes[n].get() : nullptr;
    }
    *count = std::min(*count, available);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  return api([&](Runtime&) {
    if (node == nullptr) return cudaErrorInvalidValue;
    *type = node->operation.type;
    return cudaSuccess;
  });
}

}  // extern "C"
