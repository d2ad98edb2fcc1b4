#include "tests/simt/capture.h"

#include <algorithm>
#include <utility>

namespace simt {

cudaError_t Capture::record(CUstream_st* stream, Operation operation) {
  if (!valid_) return cudaErrorStreamCaptureInvalidated;
  Branch& branch = branches_[stream];
  ++branch.version;
  branch.joined = false;
  nodes_.push_back(std::make_shared<CUgraphNode_st>(CUgraphNode_st{std::move(operation)}));
  return cudaSuccess;
}

void Capture::record_event(CUstream_st* stream, CUevent_st& event) const {
  event.captured_on = stream;
  event.captured_at = branches_.at(stream).version;
}

void Capture::wait_event(CUstream_st* stream, const CUevent_st& event) {
  const auto waited_for = branches_.find(event.captured_on);
  if (waited_for != branches_.end() && waited_for->first != stream &&
      waited_for->second.version == event.captured_at) {
    waited_for->second.joined = true;
  }
  Branch& waiting = branches_[stream];
  ++waiting.version;
  waiting.joined = false;
}

cudaError_t Capture::end(std::vector<std::shared_ptr<CUgraphNode_st>>* nodes) {
  if (!valid_) return cudaErrorStreamCaptureInvalidated;
  const bool joined = std::all_of(branches_.begin(), branches_.end(), [this](const auto& entry) {
    return entry.first == origin_ || entry.second.joined;
  });
  if (!joined) return cudaErrorStreamCaptureUnjoined;
  *nodes = std::move(nodes_);
  return cudaSuccess;
}

std::vector<CUstream_st*> Capture::streams() const {
  std::vector<CUstream_st*> result;
  for (const auto& [stream, branch] : branches_) result.push_back(stream);
  return result;
}

}  // namespace simt
