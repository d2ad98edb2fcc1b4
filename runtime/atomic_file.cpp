#include "runtime/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>

#include "runtime/errors.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;

const char* remedy(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space or choose another folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; check its permissions or choose another place";
    case ENOENT:
    case ENOTDIR:
      return "; check the path, and create the folder if it is missing";
    case EFBIG:
      return "; raise the limit on file sizes (ulimit -f)";
    default:
      return "";
  }
}

[[noreturn]] void fail(const char* what, const fs::path& path, int error) {
  throw IoError(fmt::format("{} {}: {}{}", what, path.string(),
                            std::generic_category().message(error), remedy(error)));
}

template <typename Call>
auto retry_on_eintr(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }

  // Network file systems report a failed write here. Not repeated on EINTR: Linux has closed it by
  // then.
  bool close() {
    const int number = number_;
    number_ = -1;
    return ::close(number) == 0 || errno == EINTR;
  }

 private:
  int number_;
};

// Unlinks its path unless told that the file has moved on.
class TemporaryName {
 public:
  explicit TemporaryName(fs::path path) : path_(std::move(path)) {}
  ~TemporaryName() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;

  void release() { path_.clear(); }

 private:
  fs::path path_;
};

// The file that a write to `path` has to replace. Renaming over the link itself would turn it into
// a file.
fs::path follow_link(const fs::path& path) {
  std::error_code error;
  if (!fs::is_symlink(fs::symlink_status(path, error))) return path;
  fs::path target = fs::canonical(path, error);
  if (error) fail("cannot follow the link", path, error.value());
  return target;
}

// Creates a file in `folder` that nobody else has; O_EXCL also refuses a link planted under that
// name.
int open_temporary(const fs::path& folder, fs::path* name) {
  static std::atomic<std::uint64_t> counter{0};
  while (true) {
    *name = folder / fmt::format(".gradflip-{}-{}.tmp", ::getpid(), counter++);
    const int number = retry_on_eintr(
        [&] { return ::open(name->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
    if (number >= 0 || errno != EEXIST) return number;
  }
}

void write_all(int number, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const auto written =
        retry_on_eintr([&] { return ::write(number, bytes.data(), bytes.size()); });
    if (written <= 0) fail("cannot write", path, written < 0 ? errno : EIO);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void sync_folder(const fs::path& folder, const fs::path& path) {
  const Descriptor descriptor(
      retry_on_eintr([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (descriptor.number() < 0) fail("cannot open the folder of", path, errno);
  // EINVAL: a file system that has no sync for folders; there is nothing more to do on it.
  if (retry_on_eintr([&] { return ::fsync(descriptor.number()); }) != 0 && errno != EINVAL) {
    fail("cannot sync the folder of", path, errno);
  }
}

}  // namespace

void write_file_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  const fs::path target = follow_link(path);
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");

  struct stat old {};
  const bool exists = ::stat(target.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) {
    throw IoError(
        fmt::format("cannot write {}: it exists and is not a regular file; "
                    "choose another name",
                    path.string()));
  }

  fs::path name;
  Descriptor descriptor(open_temporary(folder, &name));
  if (descriptor.number() < 0) fail("cannot create a file for", path, errno);
  TemporaryName temporary(name);

  write_all(descriptor.number(), bytes, path);
  if (exists && ::fchmod(descriptor.number(), old.st_mode & 07777) != 0) {
    fail("cannot set the mode of", path, errno);
  }
  if (retry_on_eintr([&] { return ::fsync(descriptor.number()); }) != 0) {
    fail("cannot sync", path, errno);
  }
  if (!descriptor.close()) fail("cannot write", path, errno);
  if (::rename(name.c_str(), target.c_str()) != 0) fail("cannot replace", path, errno);
  temporary.release();
  sync_folder(folder, path);
}

std::vector<std::byte> read_file(const fs::path& path, std::uint64_t max_bytes) {
  // O_NONBLOCK: opening a pipe that nobody writes would wait for ever; regular files ignore it.
  const Descriptor descriptor(
      retry_on_eintr([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }));
  if (descriptor.number() < 0) fail("cannot read", path, errno);

  struct stat status {};
  if (::fstat(descriptor.number(), &status) != 0) fail("cannot read", path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw IoError(fmt::format("cannot read {}: it is not a regular file", path.string()));
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > max_bytes) {
    throw IoError(fmt::format("cannot read {}: it has {} bytes, and at most {} are accepted",
                              path.string(), size, max_bytes));
  }

  // One byte more than the size: a file that has grown since shows it.
  std::vector<std::byte> bytes(static_cast<std::size_t>(size) + 1);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto got = retry_on_eintr(
        [&] { return ::read(descriptor.number(), bytes.data() + have, bytes.size() - have); });
    if (got < 0) fail("cannot read", path, errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  if (have != size) {
    throw IoError(
        fmt::format("cannot read {}: its size changed meanwhile; try again when nothing "
                    "writes to it",
                    path.string()));
  }
  bytes.pop_back();
  return bytes;
}

}  // namespace gradflip
