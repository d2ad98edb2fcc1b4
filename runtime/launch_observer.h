// Someone who wants to know what an executor launches, and how long it takes: a profile.
#pragma once

#include <cstdint>
#include <functional>

namespace gradflip {

class LaunchObserver {
 public:
  // Instead of a node: the shards' sums are being combined.
  static constexpr std::int32_t kReduction = -1;

  LaunchObserver() = default;
  LaunchObserver(const LaunchObserver&) = delete;
  LaunchObserver& operator=(const LaunchObserver&) = delete;
  virtual ~LaunchObserver() = default;

  // In place of every piece of work, on the thread that would do it or, on a GPU, enqueue it: calls
  // `work`, once. Where the context can record, batches are not cut: there it may be recorded, and
  // repeated. worker: from 0; node: its place in Graph::nodes().
  virtual void around(int worker, std::int32_t node, const std::function<void()>& work) = 0;
};

// Does a piece of work, through the observer if there is one.
template <typename Work>
void observed(LaunchObserver* observer, int worker, std::int32_t node, const Work& work) {
  if (observer == nullptr) {
    work();
  } else {
    observer->around(worker, node, work);
  }
}

}  // namespace gradflip
