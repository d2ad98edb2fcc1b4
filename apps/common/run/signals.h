// How a program hears of signals: those that ask it to stop, and those that would kill it where a
// write fails.
#pragma once

#include <chrono>

namespace gradflip {

// SIGPIPE and SIGXFSZ kill a process whose write has failed; from here on the write fails with
// EPIPE or EFBIG instead, which is an error with a message. Standard streams that the caller closed
// are opened, so that no file of ours gets their numbers: output to one fails, as it should, but
// messages to a closed stderr are lost.
void let_writes_fail();

// SIGINT, SIGTERM, SIGHUP and SIGXCPU end a run in order. For the lifetime of this object the first
// of them is only noted; another one, unless it comes within `same_request` of the first, exits
// with 128 + its number at once. (Whoever stops a whole process group often signals its members
// twice.) SIGXCPU, which Linux sends once per second of CPU time beyond the limit, is never that
// other one. A signal that was ignored before, as for a background job or under nohup, stays
// ignored. At most one object at a time.
//
// Where the soft limit of CPU time is the hard one (`ulimit -t` sets both), SIGKILL would come in
// the place of SIGXCPU: the soft limit is lowered for good, by the two seconds that ending in order
// may take, or by half of a limit that is smaller than four. A limit of one second cannot be split.
//
// Made once the options are known: until then nothing has been done, and a signal ends the program
// as the operating system does, also where --config is a pipe that nobody writes.
class StopRequest {
 public:
  explicit StopRequest(std::chrono::milliseconds same_request = std::chrono::milliseconds(500));
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;

  // The signal that asked to stop; 0 if none did.
  int signal() const;
};

}  // namespace gradflip
