// What executors do, one after the other, as one step; many steps as few calls. Where launches can
// be recorded, a step is replayed without the host.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/context.h"
#include "runtime/executor.h"
#include "runtime/recording.h"

namespace gradflip {

class Sequence {
 public:
  explicit Sequence(const Context& context) : context_(context) {}

  // A step ends with `times` runs of this executor over rows[segment] rows. It must outlive the
  // sequence and be of the same context. Throws std::invalid_argument unless times > 0.
  void append(Executor& executor, std::vector<std::int64_t> rows, int times = 1);

  // Runs that many steps. Same inputs, same bits, for any number of workers and however steps are
  // put together. Allocates nothing from the second call of several steps on. Results are complete
  // when they are read, not when this returns. Throws as Executor::run does.
  void run(std::int64_t steps = 1);

  // What one replay of a step enqueues; null before anything was recorded. For tests.
  const Recording* recorded_step() const { return recorded_one_.get(); }

 private:
  struct Entry {
    Executor* executor;
    std::vector<std::int64_t> rows;
    int times;
    std::int64_t recorded_bindings;
  };

  bool can_replay() const;
  bool is_recorded() const;
  void run_once();
  void run_recorded(std::int64_t steps);

  Context context_;
  std::vector<Entry> entries_;
  std::unique_ptr<Recording> recorded_one_, recorded_block_;
};

}  // namespace gradflip
