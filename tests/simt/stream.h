// Streams and events: queues of work and points in them.
//
// A device runs the work of a stream in order and at any time after it was enqueued. Here it runs
// when somebody waits for it, and at once unless config().asynchronous.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "cuda_runtime_api.h"

namespace simt {

class Capture;
class Queue;

// All work of a queue up to a point.
struct Marker {
  std::shared_ptr<Queue> queue;
  std::uint64_t position = 0;

  bool reached() const;
  // Runs what is left up to here.
  void reach() const;
};

class Queue {
 public:
  void push(std::vector<Marker> after, std::function<void()> run) {
    work_.push_back({std::move(after), std::move(run)});
    ++end_;
  }
  // Runs the oldest work, and whatever must come before it.
  void run_one();
  void run_until(std::uint64_t position) {
    while (done_ < position) run_one();
  }
  void drop_all() {
    work_.clear();
    done_ = end_;
  }

  bool empty() const { return work_.empty(); }
  std::uint64_t done() const { return done_; }
  std::uint64_t end() const { return end_; }

 private:
  struct Work {
    std::vector<Marker> after;
    std::function<void()> run;  // may be empty: only an order
  };
  std::deque<Work> work_;
  std::uint64_t done_ = 0;  // how many were started, of end_
  std::uint64_t end_ = 0;
};

// What becomes a node if the stream captures.
struct Operation {
  cudaGraphNodeType type;
  std::function<void()> run;
};

}  // namespace simt

struct CUstream_st {
  CUstream_st(bool waits_for_legacy, int of_device)
      : blocking(waits_for_legacy), device(of_device) {}

  simt::Marker mark() const { return {queue, queue->end()}; }

  const std::shared_ptr<simt::Queue> queue = std::make_shared<simt::Queue>();
  const bool blocking;                     // takes turns with the default stream
  const int device;                        // of the default stream: that of whoever uses it
  std::shared_ptr<simt::Capture> capture;  // null if it does not capture
};

struct CUevent_st {
  using Clock = std::chrono::steady_clock;

  bool timing = true;
  // The last record, on a stream that did not capture.
  simt::Marker marker;  // its queue is null if there was none
  std::shared_ptr<Clock::time_point> time;
  // Or on one that did.
  std::weak_ptr<simt::Capture> capture;
  CUstream_st* captured_on = nullptr;
  std::uint64_t captured_at = 0;
};
