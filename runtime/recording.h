// Launches recorded once and replayed without the host: a training step, or several, as one call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/context.h"

namespace gradflip {

class Recording {
 public:
  Recording() = default;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  virtual ~Recording() = default;

  // Enqueues everything that was recorded, in order, with the arguments that it had then.
  virtual void replay() = 0;
  // Kernels, copies and fills of one replay.
  virtual std::int64_t launches() const = 0;
};

// Whether the context can record. The CPU's kernels run when they are called: there is nothing to
// record.
bool can_record(const Context& context);

// Records what `body` enqueues on the context, instead of running it. Null where the context cannot
// record. If the body throws, nothing is recorded and the exception passes.
std::unique_ptr<Recording> record(const Context& context, const std::function<void()>& body);

// What a backend adds: recording_cuda.cpp defines it.
std::unique_ptr<Recording> record(Cuda ctx, const std::function<void()>& body);

}  // namespace gradflip
