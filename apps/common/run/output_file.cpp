#include "apps/common/run/output_file.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <system_error>
#include <utility>

#include "apps/common/usage_error.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

// Whether `stream` writes to `file`, under whatever name.
bool writes_to(int stream, const struct stat& file) {
  struct stat written {};
  return ::fstat(stream, &written) == 0 && S_ISREG(written.st_mode) &&
         written.st_dev == file.st_dev && written.st_ino == file.st_ino;
}

}  // namespace

std::filesystem::path with_suffix(const std::filesystem::path& path, const std::string& suffix) {
  std::filesystem::path name = path.stem();
  name += "-" + suffix;
  name += path.extension();
  return path.parent_path() / name;
}

void require_apart_from_streams(const std::string& option, const std::filesystem::path& path) {
  if (path == "-") {
    throw UsageError(fmt::format(
        "{}: - is no name here; name a file, or write ./- for one that is called so", option));
  }
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return;
  for (const auto& [stream, name] :
       {std::pair{STDOUT_FILENO, "output"}, std::pair{STDERR_FILENO, "error"}}) {
    if (!writes_to(stream, file)) continue;
    throw UsageError(fmt::format(
        "{} {} would replace the file that the standard {} goes to; choose another name", option,
        path.string(), name));
  }
}

void write_to_stdout(std::string_view text) {
  std::cout.flush();  // keeps the order with what went through the stream
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      // Whoever shares the pipe or the terminal has made it non-blocking; it is merely full.
      pollfd standard_output = {STDOUT_FILENO, POLLOUT, 0};
      ::poll(&standard_output, 1, -1);
      continue;
    }
    if (written <= 0) {
      const int error = written < 0 ? errno : EIO;
      throw IoError(fmt::format("cannot write to the standard output: {}; check where it goes",
                                std::generic_category().message(error)));
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace gradflip
