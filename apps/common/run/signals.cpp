#include "apps/common/run/signals.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>

namespace gradflip {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM};

// A handler can reach only what is global.
std::atomic<int> requested{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler must not take a lock");
std::array<struct sigaction, kSignals.size()> previous;

extern "C" void note_stop_request(int number) {
  if (requested.exchange(number) != 0) _exit(128 + number);
}

}  // namespace

StopRequest::StopRequest() {
  requested = 0;
  struct sigaction action = {};
  action.sa_handler = note_stop_request;
  action.sa_flags = SA_RESTART;  // no read or write of the run has to know about signals
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &previous[i]);
}

StopRequest::~StopRequest() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &previous[i], nullptr);
}

int StopRequest::signal() const { return requested; }

}  // namespace gradflip
