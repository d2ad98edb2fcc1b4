// SIGINT and SIGTERM end a run in order: the first asks it to stop, a second one ends the process
// at once.
#pragma once

namespace gradflip {

// For its lifetime the first SIGINT or SIGTERM is only noted; a second one exits with 128 + its
// number. At most one object at a time.
class StopRequest {
 public:
  StopRequest();
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;

  // The signal that asked to stop; 0 if none did.
  int signal() const;
};

}  // namespace gradflip
