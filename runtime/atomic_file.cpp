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
#include "runtime/io_failure.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;

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

// The file that a write to `path` has to replace. Renaming over the link itself would turn it into
// a file.
fs::path follow_link(const fs::path& path) {
  std::error_code error;
  if (!fs::is_symlink(fs::symlink_status(path, error))) return path;
  fs::path target = fs::canonical(path, error);
  if (error) throw_io_failure("cannot follow the link", path, error.value());
  return target;
}

// Calls `use(name)` with names in `folder` until one is not taken already.
template <typename Use>
int with_free_name(const fs::path& folder, fs::path* name, Use use) {
  static std::atomic<std::uint64_t> counter{0};
  while (true) {
    *name = folder / fmt::format(".gradflip-{}-{}.tmp", ::getpid(), counter++);
    const int result = retry_on_eintr([&] { return use(name->c_str()); });
    if (result >= 0 || errno != EEXIST) return result;
  }
}

// A new file in `folder` to write to. It has no name until it is whole, so that a process killed
// meanwhile leaves nothing behind; only where the file system has no such files it gets one at
// once.
class NewFile {
 public:
  explicit NewFile(const fs::path& folder)
      : folder_(folder), unnamed_(open_unnamed(folder)), descriptor_(open_any()) {}
  ~NewFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  // Negative, with errno, if the folder takes no file.
  int number() const { return descriptor_.number(); }

  // Makes it the file at `target`. Returns 0, or -1 with errno.
  int move_to(const fs::path& target) {
    if (unnamed_ >= 0) {
      if (give_name(target.c_str()) == 0) return 0;  // nothing was there
      if (errno != EEXIST) return -1;
      if (with_free_name(folder_, &name_, [&](const char* name) { return give_name(name); }) != 0) {
        name_.clear();
        return -1;
      }
    }
    if (!descriptor_.close() || ::rename(name_.c_str(), target.c_str()) != 0) return -1;
    name_.clear();
    return 0;
  }

 private:
  // -1 where files without a name do not exist, or could not be given one later.
  static int open_unnamed(const fs::path& folder) {
    if (::access("/proc/self/fd", X_OK) != 0) return -1;
    return retry_on_eintr(
        [&] { return ::open(folder.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666); });
  }

  int open_any() {
    if (unnamed_ >= 0) return unnamed_;
    // O_EXCL also refuses a link planted under that name.
    const int number = with_free_name(folder_, &name_, [](const char* name) {
      return ::open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    });
    if (number < 0) name_.clear();
    return number;
  }

  int give_name(const char* name) const {
    const std::string self = fmt::format("/proc/self/fd/{}", unnamed_);
    return ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name, AT_SYMLINK_FOLLOW);
  }

  fs::path folder_, name_;  // no name, nothing to remove
  int unnamed_;
  Descriptor descriptor_;
};

void write_all(int number, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const auto written =
        retry_on_eintr([&] { return ::write(number, bytes.data(), bytes.size()); });
    if (written <= 0) throw_io_failure("cannot write", path, written < 0 ? errno : EIO);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void sync_folder(const fs::path& folder, const fs::path& path) {
  const Descriptor descriptor(
      retry_on_eintr([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (descriptor.number() < 0) throw_io_failure("cannot open the folder of", path, errno);
  // EINVAL: a file system that has no sync for folders; there is nothing more to do on it.
  if (retry_on_eintr([&] { return ::fsync(descriptor.number()); }) != 0 && errno != EINVAL) {
    throw_io_failure("cannot sync the folder of", path, errno);
  }
}

// What a write to `path` replaces: the file itself, its folder, and its state if it is there.
struct Target {
  fs::path file, folder;
  struct stat old {};
  bool exists = false;
};

// Throws IoError if the file that is there could not be replaced.
Target target_of(const fs::path& path) {
  const auto refuse = [&](const char* reason) {
    throw IoError(fmt::format("cannot write {}: {}", path.string(), reason));
  };
  Target target;
  target.file = follow_link(path);
  target.folder = target.file.has_parent_path() ? target.file.parent_path() : fs::path(".");
  target.exists = ::stat(target.file.c_str(), &target.old) == 0;
  if (!target.exists && errno != ENOENT) throw_io_failure("cannot write", path, errno);
  if (target.file.filename().empty() || (target.exists && S_ISDIR(target.old.st_mode))) {
    refuse("it is a folder; name a file in it");
  }
  if (!target.exists) return target;
  if (!S_ISREG(target.old.st_mode)) {
    refuse("it exists and is not a regular file; choose another name");
  }
  struct stat folder {};
  const uid_t user = ::geteuid();
  if (user != 0 && ::stat(target.folder.c_str(), &folder) == 0 && (folder.st_mode & S_ISVTX) != 0 &&
      folder.st_uid != user && target.old.st_uid != user) {
    refuse(
        "it belongs to another user, and its folder lets only owners replace files; choose "
        "another name");
  }
  return target;
}

}  // namespace

void require_writable(const fs::path& path) {
  const NewFile file(target_of(path).folder);
  if (file.number() < 0) throw_io_failure("cannot create a file for", path, errno);
}

void write_file_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  const Target target = target_of(path);
  NewFile file(target.folder);
  if (file.number() < 0) throw_io_failure("cannot create a file for", path, errno);
  write_all(file.number(), bytes, path);
  if (target.exists && ::fchmod(file.number(), target.old.st_mode & 07777) != 0) {
    throw_io_failure("cannot set the mode of", path, errno);
  }
  if (retry_on_eintr([&] { return ::fsync(file.number()); }) != 0) {
    throw_io_failure("cannot sync", path, errno);
  }
  if (file.move_to(target.file) != 0) throw_io_failure("cannot replace", path, errno);
  sync_folder(target.folder, path);
}

std::vector<std::byte> read_file(const fs::path& path, std::uint64_t max_bytes) {
  // O_NONBLOCK: opening a pipe that nobody writes would wait for ever; regular files ignore it.
  const Descriptor descriptor(
      retry_on_eintr([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }));
  if (descriptor.number() < 0) throw_io_failure("cannot read", path, errno);

  struct stat status {};
  if (::fstat(descriptor.number(), &status) != 0) throw_io_failure("cannot read", path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw IoError(fmt::format(
        "cannot read {}: it is not a regular file; put what it holds into one", path.string()));
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > max_bytes) {
    throw IoError(
        fmt::format("cannot read {}: it has {} bytes, and at most {} are accepted; make it smaller",
                    path.string(), size, max_bytes));
  }

  // One byte more than the size: a file that has grown since shows it.
  std::vector<std::byte> bytes(static_cast<std::size_t>(size) + 1);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto got = retry_on_eintr(
        [&] { return ::read(descriptor.number(), bytes.data() + have, bytes.size() - have); });
    if (got < 0) throw_io_failure("cannot read", path, errno);
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
