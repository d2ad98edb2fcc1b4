#include "tests/simt/stream.h"

#include <utility>

namespace simt {

bool Marker::reached() const { return queue->done() >= position; }
void Marker::reach() const { queue->run_until(position); }

void Queue::run_one() {
  const Work work = std::move(work_.front());
  work_.pop_front();
  ++done_;  // whatever `work` waits for was enqueued before it and cannot wait for it in turn
  for (const Marker& marker : work.after) marker.reach();
  if (work.run) work.run();
}

}  // namespace simt
