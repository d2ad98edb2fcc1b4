#include "tests/simt/planted/child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

namespace planted {
namespace {

// Exit statuses that no sanitizer uses.
constexpr int kStatusRight = 90, kStatusWrong = 91, kStatusError = 92;

int run(const Case& planted_case) {
  try {
    return planted_case.is_right() ? kStatusRight : kStatusWrong;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kStatusError;
  }
}

[[noreturn]] void be_the_child(const Case& planted_case, const Schedule& schedule, int output) {
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  simt::config().order = schedule.order;
  simt::config().seed = schedule.seed;
  const int status = run(planted_case);
  std::fflush(nullptr);
  _exit(status);
}

std::string read_all(int descriptor) {
  std::string text;
  char buffer[4096];
  for (ssize_t count; (count = read(descriptor, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

Outcome outcome_of(int status, const std::string& output) {
  if (WIFEXITED(status)) {
    switch (WEXITSTATUS(status)) {
      case kStatusRight:
        return kRight;
      case kStatusWrong:
        return kWrong;
      case kStatusError:
        return kError;
    }
  }
  const bool reported = output.find("AddressSanitizer") != std::string::npos ||
                        output.find("runtime error:") != std::string::npos;
  return reported ? kSanitizer : kCrash;
}

}  // namespace

Result run_in_child(const Case& planted_case, const Schedule& schedule) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    close(ends[0]);
    be_the_child(planted_case, schedule, ends[1]);
  }
  close(ends[1]);
  Result result{kCrash, read_all(ends[0])};
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  result.outcome = outcome_of(status, result.output);
  return result;
}

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case kRight:
      return "right";
    case kWrong:
      return "WRONG";
    case kError:
      return "ERROR";
    case kSanitizer:
      return "SAN";
    case kCrash:
      return "CRASH";
  }
  return "?";
}

}  // namespace planted
