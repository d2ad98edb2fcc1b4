#include "apps/common/run/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace gradflip {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};

// A handler can reach only what is global.
std::atomic<int> requested{0};
std::atomic<std::int64_t> decided_from{0};  // in ns of the clock: another signal is a second one
std::int64_t same_request_ns = 0;           // written before the handler is in place
static_assert(std::atomic<int>::is_always_lock_free &&
                  std::atomic<std::int64_t>::is_always_lock_free,
              "a signal handler must not take a lock");
std::array<struct sigaction, kSignals.size()> previous;

std::int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);  // one of the few calls that a handler may make
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

extern "C" void note_stop_request(int number) {
  const int saved_errno = errno;
  int none = 0;
  if (requested.compare_exchange_strong(none, number)) {
    decided_from = now_ns() + same_request_ns;
  } else if (number != SIGXCPU && decided_from != 0 && now_ns() >= decided_from) {
    _exit(128 + number);
  }
  errno = saved_errno;
}

// So that SIGXCPU comes before SIGKILL.
void split_cpu_limit() {
  constexpr rlim_t kSecondsToEnd = 2;
  rlimit limit{};
  if (getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return;
  if (limit.rlim_cur != limit.rlim_max) return;
  limit.rlim_cur -= std::min(kSecondsToEnd, limit.rlim_max / 2);
  setrlimit(RLIMIT_CPU, &limit);
}

}  // namespace

void let_writes_fail() {
  struct sigaction ignored = {};
  ignored.sa_handler = SIG_IGN;
  sigemptyset(&ignored.sa_mask);
  sigaction(SIGPIPE, &ignored, nullptr);
  sigaction(SIGXFSZ, &ignored, nullptr);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is this one: those below are open.
    open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY);
  }
}

StopRequest::StopRequest(std::chrono::milliseconds same_request) {
  split_cpu_limit();
  requested = 0;
  decided_from = 0;
  same_request_ns = std::chrono::nanoseconds(same_request).count();
  struct sigaction action = {};
  action.sa_handler = note_stop_request;
  action.sa_flags = SA_RESTART;  // no read or write of the run has to know about signals
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &previous[i]);
    if (previous[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
  }
}

StopRequest::~StopRequest() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &previous[i], nullptr);
}

int StopRequest::signal() const { return requested; }

}  // namespace gradflip
