// Fibers that wait for a thread to run. As many exist as threads were ever blocked at once.
#pragma once

#include <memory>
#include <vector>

#include "tests/simt/fiber.h"

namespace simt {

class FiberPool {
 public:
  // Each fiber starts in entry() and never leaves it.
  explicit FiberPool(void (*entry)()) : entry_(entry) {}

  Fiber* take() {
    if (idle_.empty()) {
      all_.push_back(make_fiber(entry_));
      return all_.back();
    }
    Fiber* fiber = idle_.back();
    idle_.pop_back();
    return fiber;
  }
  void give_back(Fiber* fiber) { idle_.push_back(fiber); }

  // After an error: whatever the fibers were in the middle of is forgotten.
  void restart_all() {
    idle_ = all_;
    for (Fiber* fiber : all_) restart_fiber(*fiber, entry_);
  }

 private:
  void (*entry_)();
  std::vector<Fiber*> all_;
  std::vector<Fiber*> idle_;
};

}  // namespace simt
