#include "runtime/io_failure.h"

#include <fmt/format.h>

#include <cerrno>
#include <new>
#include <system_error>

#include "runtime/errors.h"

namespace gradflip {
namespace {

const char* remedy(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space or choose another folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "check its permissions or choose another place";
    case ENOENT:
    case ENOTDIR:
      return "check the path, and create the folder if it is missing";
    case EFBIG:
      return "raise the limit on file sizes (ulimit -f)";
    case EMFILE:
    case ENFILE:
      return "raise the limit on open files (ulimit -n)";
    case ENAMETOOLONG:
      return "choose a shorter name";
    case ELOOP:
      return "its links lead to each other: mend them, or name the file itself";
    default:
      return "try again, or choose another place";
  }
}

}  // namespace

void throw_io_failure(std::string_view what, const std::filesystem::path& path, int error) {
  if (error == ENOMEM) throw std::bad_alloc();
  throw IoError(fmt::format("{} {}: {}; {}", what, path.string(),
                            std::generic_category().message(error), remedy(error)));
}

}  // namespace gradflip
