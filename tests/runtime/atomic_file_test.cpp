#include "runtime/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <iterator>
#include <string>
#include <thread>

#include "runtime/errors.h"
#include "tests/support/refused_opens.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 40U;
constexpr int kSkipped = 77;

void write_text(const fs::path& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

std::string read_text(const fs::path& path, std::uint64_t max_bytes = kNoLimit) {
  const auto bytes = read_file(path, max_bytes);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string io_error(const std::function<void()>& call) {
  try {
    call();
  } catch (const IoError& error) {
    return error.what();
  }
  return "no IoError";
}

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

std::ptrdiff_t files_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

// Until the end of its scope, writing past `bytes` of a file fails with EFBIG, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit_), 0);
    const rlimit limit{bytes, old_limit_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_limit_);
    ::signal(SIGXFSZ, old_handler_);
  }

 private:
  sighandler_t old_handler_;
  rlimit old_limit_{};
};

// root may write everywhere, so permission tests step down to a user who may not.
class WithoutPrivileges {
 public:
  WithoutPrivileges() : was_root_(::geteuid() == 0) {
    if (was_root_) {
      EXPECT_EQ(::seteuid(65534), 0);
    }
  }
  ~WithoutPrivileges() {
    if (was_root_) {
      EXPECT_EQ(::seteuid(0), 0);
    }
  }

 private:
  bool was_root_;
};

TEST(AtomicFileTest, WritesAndReplaces) {
  const TemporaryFolder folder;
  const std::string large(3 << 20, 'x');
  for (const std::string& text : {std::string("first"), std::string(), large, std::string("s")}) {
    write_text(folder / "file", text);
    EXPECT_EQ(read_text(folder / "file"), text);
    EXPECT_EQ(files_in(folder.path()), 1);
  }
}

TEST(AtomicFileTest, NameWithoutFolderIsInTheWorkingFolder) {
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_text("plain", "text");
  fs::current_path(before);
  EXPECT_EQ(read_text(folder / "plain"), "text");
}

TEST(AtomicFileTest, TakesTheLongestName) {
  const TemporaryFolder folder;
  const fs::path path = folder / std::string(255, 'n');
  write_text(path, "text");
  EXPECT_EQ(read_text(path), "text");
}

TEST(AtomicFileTest, NewFileFollowsTheUmaskAndOldFileKeepsItsMode) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(027);
  write_text(folder / "file", "new");
  ::umask(before);
  EXPECT_EQ(mode_of(folder / "file"), 0640U);

  ASSERT_EQ(::chmod((folder / "file").c_str(), 0604), 0);
  write_text(folder / "file", "newer");
  EXPECT_EQ(mode_of(folder / "file"), 0604U);
}

TEST(AtomicFileTest, FollowsALinkAndKeepsIt) {
  const TemporaryFolder folder;
  write_text(folder / "file", "old");
  fs::create_symlink("file", folder / "link");
  write_text(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_text(folder / "file"), "new");
}

TEST(AtomicFileTest, RefusesWhatIsNotARegularFile) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "folder");
  EXPECT_THAT(io_error([&] { write_text(folder / "folder", "x"); }),
              HasSubstr((folder / "folder").string() + ": it is a folder"));
  EXPECT_THAT(io_error([&] { write_text("/dev/null", "x"); }), HasSubstr("not a regular file"));
  fs::create_symlink("missing", folder / "dangling");
  EXPECT_THAT(io_error([&] { write_text(folder / "dangling", "x"); }), HasSubstr("link"));
}

TEST(AtomicFileTest, FullDiskKeepsTheOldFile) {
  const TemporaryFolder folder;
  write_text(folder / "file", "old");
  const std::string large(100000, 'x');
  std::string message;
  {
    const FileSizeLimit limit(4096);  // the first write is cut short, the second one fails
    message = io_error([&] { write_text(folder / "file", large); });
  }
  EXPECT_THAT(message, AllOf(HasSubstr("cannot write " + (folder / "file").string()),
                             HasSubstr("File too large"), HasSubstr("ulimit -f")));
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  EXPECT_EQ(read_text(folder / "file"), "old");
  EXPECT_EQ(files_in(folder.path()), 1);
}

// SIGXFSZ, unless it is ignored, kills the process at its second write: the moment is exact.
TEST(AtomicFileTest, AProcessKilledWhileWritingLeavesNothingBehind) {
  const TemporaryFolder folder;
  const int unnamed = ::open(folder.path().c_str(), O_WRONLY | O_TMPFILE, 0600);
  if (unnamed < 0) GTEST_SKIP() << "this file system has no files without a name";
  ::close(unnamed);
  write_text(folder / "old", "old");
  for (const char* name : {"old", "new"}) {
    const auto write_too_much = [&] {
      const rlimit limit{4096, 4096};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(99);
      write_text(folder / name, std::string(100000, 'x'));
      _exit(0);
    };
    EXPECT_EXIT(write_too_much(), testing::KilledBySignal(SIGXFSZ), "");
  }
  EXPECT_EQ(read_text(folder / "old"), "old");
  EXPECT_EQ(files_in(folder.path()), 1);
}

// Returns 0 if files are written, replaced, and gone after a failure, where each needs a name.
int write_named_files(const fs::path& folder) {
  if (!refuse_unnamed_files()) return kSkipped;
  for (const char* text : {"first", "second"}) {
    write_text(folder / "file", text);
    if (read_text(folder / "file") != text) return 1;
  }
  const FileSizeLimit limit(4096);
  if (io_error([&] { write_text(folder / "file", std::string(100000, 'x')); }) == "no IoError") {
    return 2;
  }
  return read_text(folder / "file") == "second" && files_in(folder) == 1 ? 0 : 3;
}

TEST(AtomicFileTest, AFileSystemWithoutUnnamedFilesIsWrittenToo) {
  const TemporaryFolder folder;
  const auto is_done_or_skipped = [](int status) {
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kSkipped);
  };
  EXPECT_EXIT(_exit(write_named_files(folder.path())), is_done_or_skipped, "");
}

TEST(AtomicFileTest, UnwritableFolderKeepsTheOldFile) {
  const TemporaryFolder folder;
  write_text(folder / "file", "old");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  std::string message;
  {
    const WithoutPrivileges user;
    message = io_error([&] { write_text(folder / "file", "new"); });
  }
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  EXPECT_THAT(message, AllOf(HasSubstr("cannot create a file for"), HasSubstr("permissions")));
  EXPECT_EQ(read_text(folder / "file"), "old");
  EXPECT_EQ(files_in(folder.path()), 1);
}

TEST(AtomicFileTest, NamesAMissingFolder) {
  const TemporaryFolder folder;
  EXPECT_THAT(io_error([&] { write_text(folder / "no" / "file", "x"); }),
              AllOf(HasSubstr("No such file"), HasSubstr("create the folder")));
}

TEST(AtomicFileTest, ReadersSeeWholeFilesWhileWritersReplaceThem) {
  const TemporaryFolder folder;
  const fs::path path = folder / "file";
  write_text(path, std::string(5000, '0'));
  std::atomic<bool> done = false;
  const auto writer = [&](char letter) {
    for (int round = 0; round < 40; ++round) write_text(path, std::string(5000, letter));
  };
  std::thread reader([&] {
    while (!done) {
      const std::string text = read_text(path);
      EXPECT_EQ(text, std::string(5000, text.empty() ? '?' : text[0]));
    }
  });
  std::thread other(writer, 'a');
  writer('b');
  other.join();
  done = true;
  reader.join();
  EXPECT_EQ(files_in(folder.path()), 1);
}

TEST(RequireWritableTest, AcceptsNewAndExistingFilesAndLeavesNothingBehind) {
  const TemporaryFolder folder;
  write_text(folder / "old", "kept");
  fs::create_symlink("old", folder / "link");
  for (const char* name : {"old", "new", "link"}) EXPECT_NO_THROW(require_writable(folder / name));
  EXPECT_FALSE(fs::exists(folder / "new"));
  EXPECT_EQ(read_text(folder / "old"), "kept");
  EXPECT_EQ(files_in(folder.path()), 2);
}

TEST(RequireWritableTest, RefusesWhatAWriteWouldRefuse) {
  const TemporaryFolder folder;
  write_text(folder / "file", "");
  fs::create_symlink("missing", folder / "dangling");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  for (const fs::path& path :
       {folder.path(), folder / "missing/", folder / "missing/file", folder / "file/file",
        folder / "dangling", folder / "pipe", folder / std::string(300, 'n'),
        fs::path("/proc/gradflip"), fs::path("/dev/null")}) {
    SCOPED_TRACE(path);
    const std::string said = io_error([&] { require_writable(path); });
    EXPECT_THAT(said, HasSubstr(path.string()));
    EXPECT_EQ(said, io_error([&] { write_text(path, "x"); }));
  }
}

// As in /tmp: everybody makes files there, and each replaces only what is theirs.
TEST(RequireWritableTest, RefusesAnothersFileInASharedFolder) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make another's file";
  const TemporaryFolder folder;
  write_text(folder / "file", "old");
  ASSERT_EQ(::chmod(folder.path().c_str(), 01777), 0);
  const WithoutPrivileges user;
  EXPECT_THAT(io_error([&] { require_writable(folder / "file"); }), HasSubstr("another user"));
  EXPECT_NO_THROW(require_writable(folder / "new"));
}

TEST(ReadFileTest, LimitIsInclusive) {
  const TemporaryFolder folder;
  write_text(folder / "file", "12345");
  EXPECT_EQ(read_text(folder / "file", 5), "12345");
  EXPECT_THAT(io_error([&] { read_text(folder / "file", 4); }),
              AllOf(HasSubstr("5 bytes"), HasSubstr("at most 4")));
}

TEST(ReadFileTest, RefusesWhatIsNotARegularFile) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(io_error([&] { read_text(folder / "pipe"); }),
              HasSubstr("it is not a regular file; put what it holds into one"));
  EXPECT_THAT(io_error([&] { read_text(folder.path()); }), HasSubstr("not a regular file"));
  EXPECT_THAT(io_error([&] { read_text("/dev/zero"); }), HasSubstr("not a regular file"));
  // A file of the kernel says size 0 and then gives bytes.
  EXPECT_THAT(io_error([&] { read_text("/proc/self/status"); }), HasSubstr("size changed"));
  EXPECT_THAT(io_error([&] { read_text(folder / "missing"); }), HasSubstr("No such file"));
}

}  // namespace
}  // namespace gradflip
