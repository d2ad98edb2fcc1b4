#include "apps/common/run/output_file.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "runtime/errors.h"

namespace gradflip {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& reason) {
  throw IoError("cannot write " + path.string() + ": " + reason +
                "; name a file in a folder that exists and may be written");
}

}  // namespace

void require_writable(const std::filesystem::path& path) {
  std::error_code ignored;
  if (path.filename().empty() || std::filesystem::is_directory(path, ignored)) {
    refuse(path, "it is a folder");
  }
  // Only a real file tells: permission bits do not know of read-only and full file systems.
  std::filesystem::path folder = path.parent_path();
  if (folder.empty()) folder = ".";
  std::string probe = (folder / ".gradflip-probe-XXXXXX").string();
  const int file = ::mkstemp(probe.data());
  if (file < 0) refuse(path, std::generic_category().message(errno));
  ::close(file);
  ::unlink(probe.c_str());
}

std::filesystem::path with_suffix(const std::filesystem::path& path, const std::string& suffix) {
  std::filesystem::path name = path.stem();
  name += "-" + suffix;
  name += path.extension();
  return path.parent_path() / name;
}

}  // namespace gradflip
