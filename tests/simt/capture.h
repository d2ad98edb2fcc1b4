// Graphs, and the capture of a stream's work into one.
//
// A capture begins on its origin; other streams join it by waiting for an event of it, and must
// have been waited for in turn when it ends. Nodes are replayed in the order of their capture,
// which respects every dependency between them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "cuda_runtime_api.h"
#include "tests/simt/stream.h"

struct CUgraphNode_st {
  simt::Operation operation;
};

struct CUgraph_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
};

struct CUgraphExec_st {
  const std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
};

namespace simt {

class Capture {
 public:
  Capture(CUstream_st* origin, cudaStreamCaptureMode mode)
      : origin_(origin), mode_(mode), thread_(std::this_thread::get_id()) {
    branches_[origin];
  }

  const CUstream_st* origin() const { return origin_; }
  bool valid() const { return valid_; }
  void invalidate() { valid_ = false; }
  // Whether the calling thread may not make calls that could disturb it, such as cudaMalloc.
  bool forbids_unsafe_calls() const {
    return mode_ == cudaStreamCaptureModeGlobal ||
           (mode_ == cudaStreamCaptureModeThreadLocal && thread_ == std::this_thread::get_id());
  }

  cudaError_t record(CUstream_st* stream, Operation operation);
  void record_event(CUstream_st* stream, CUevent_st& event) const;
  // The stream waits for an event of this capture; joins if it was not part of it.
  void wait_event(CUstream_st* stream, const CUevent_st& event);
  // Success, or why the graph cannot be used.
  cudaError_t end(std::vector<std::shared_ptr<CUgraphNode_st>>* nodes);
  // All streams that take part.
  std::vector<CUstream_st*> streams() const;
  void forget(CUstream_st* stream) { branches_.erase(stream); }

 private:
  struct Branch {
    std::uint64_t version = 0;  // counts what the stream did
    bool joined = false;        // all of that was waited for
  };

  CUstream_st* origin_;
  cudaStreamCaptureMode mode_;
  std::thread::id thread_;
  bool valid_ = true;
  std::map<CUstream_st*, Branch> branches_;
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes_;
};

}  // namespace simt
