#include "tests/apps/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace gradflip {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

struct Pipe {
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
  }
  std::array<int, 2> ends{};
};

// Appends what is there to `text`; false at the end of the stream.
bool read_some(int file, std::string& text) {
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(file, buffer.data(), buffer.size());
  if (count < 0) fail("read");
  text.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

pid_t start(const std::string& program, const std::vector<std::string>& arguments, const Pipe& out,
            const Pipe& err) {
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    ::dup2(out.ends[1], STDOUT_FILENO);
    ::dup2(err.ends[1], STDERR_FILENO);
    ::execv(program.c_str(), argv.data());
    _exit(127);
  }
  ::close(out.ends[1]);
  ::close(err.ends[1]);
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child) fail("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

constexpr int kForEver = -1;

// Until the signal is sent, waits at most `patience` ms for output between two questions for its
// moment.
ProgramResult follow(const std::string& program, const std::vector<std::string>& arguments,
                     const std::function<bool(const ProgramResult&)>& moment, int signal,
                     int patience) {
  const Pipe out, err;
  ProgramResult result;
  const pid_t child = start(program, arguments, out, err);
  bool sent = signal == 0;
  std::array<pollfd, 2> files = {{{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}}};
  std::array<std::string*, 2> texts = {&result.out, &result.err};
  while (files[0].fd >= 0 || files[1].fd >= 0) {
    if (::poll(files.data(), files.size(), sent ? kForEver : patience) < 0) fail("poll");
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (files[i].fd < 0 || files[i].revents == 0) continue;
      if (!read_some(files[i].fd, *texts[i])) {
        ::close(files[i].fd);
        files[i].fd = -1;  // poll leaves out negative ones
      }
    }
    if (!sent && moment(result)) {
      if (::kill(child, signal) != 0) fail("kill");
      sent = true;
    }
  }
  result.exit_code = wait_for(child);
  return result;
}

}  // namespace

ProgramResult run_program(const std::string& program, const std::vector<std::string>& arguments) {
  return follow(
      program, arguments, [](const ProgramResult&) { return false; }, 0, kForEver);
}

ProgramResult signal_program(const std::string& program, const std::vector<std::string>& arguments,
                             const std::string& mark, int signal) {
  const auto has_mark = [&](const ProgramResult& so_far) {
    return so_far.err.find(mark) != std::string::npos;
  };
  return follow(program, arguments, has_mark, signal, kForEver);
}

ProgramResult signal_program_when(const std::string& program,
                                  const std::vector<std::string>& arguments,
                                  const std::function<bool()>& moment, int signal) {
  const auto now = [&](const ProgramResult&) { return moment(); };
  return follow(program, arguments, now, signal, 0);
}

}  // namespace gradflip
