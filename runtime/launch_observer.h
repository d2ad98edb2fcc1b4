// Someone who wants to know what an executor launches, and when: a profile.
#pragma once

#include <cstdint>

namespace gradflip {

class LaunchObserver {
 public:
  // Instead of a node: the shards' sums are being combined.
  static constexpr std::int32_t kReduction = -1;

  LaunchObserver() = default;
  LaunchObserver(const LaunchObserver&) = delete;
  LaunchObserver& operator=(const LaunchObserver&) = delete;
  virtual ~LaunchObserver() = default;

  // Around every piece of work, on the thread that does it or, on a GPU, enqueues it. worker: from
  // 0; node: its place in Graph::nodes(). Must not throw.
  virtual void before(int worker, std::int32_t node) = 0;
  virtual void after(int worker, std::int32_t node) = 0;
};

// One piece of work, for as long as it lives. observer: null where nobody wants to know.
class Observed {
 public:
  Observed(LaunchObserver* observer, int worker, std::int32_t node)
      : observer_(observer), worker_(worker), node_(node) {
    if (observer_ != nullptr) observer_->before(worker_, node_);
  }
  Observed(const Observed&) = delete;
  Observed& operator=(const Observed&) = delete;
  ~Observed() {
    if (observer_ != nullptr) observer_->after(worker_, node_);
  }

 private:
  LaunchObserver* observer_;
  int worker_;
  std::int32_t node_;
};

}  // namespace gradflip
