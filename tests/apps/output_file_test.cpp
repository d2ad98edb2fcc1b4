#include "apps/common/run/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "apps/common/usage_error.h"
#include "runtime/errors.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

TEST(WithSuffixTest, StandsBeforeTheExtension) {
  EXPECT_EQ(with_suffix("out/model.safetensors", "dann-seed1"), "out/model-dann-seed1.safetensors");
  EXPECT_EQ(with_suffix("model", "a"), "model-a");
  EXPECT_EQ(with_suffix("/a.b/model.v2.st", "x"), "/a.b/model.v2-x.st");
}

// Whether weights could go to `path` while `stream` writes to `file`: 2 or 0. In a process of its
// own, whose streams may be spoilt.
int code_of_sharing(const std::filesystem::path& file, int stream,
                    const std::filesystem::path& path) {
  ::dup2(::open(file.c_str(), O_WRONLY | O_CREAT, 0600), stream);
  try {
    require_apart_from_streams("--save", path);
  } catch (const UsageError& error) {
    const std::string says = error.what();
    return says.starts_with("--save") && says.find("the standard ") != std::string::npos ? 2 : 1;
  }
  return 0;
}

TEST(RequireApartFromStreamsTest, KnowsTheFileUnderEveryName) {
  const TemporaryFolder folder;
  const auto file = folder / "results.json";
  std::filesystem::create_symlink("results.json", folder / "link");
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    for (const auto& path : {file, folder / "link", folder / "." / "results.json"}) {
      EXPECT_EXIT(_exit(code_of_sharing(file, stream, path)), ::testing::ExitedWithCode(2), "");
    }
    EXPECT_EXIT(_exit(code_of_sharing(file, stream, folder / "other")),
                ::testing::ExitedWithCode(0), "");
    EXPECT_EXIT(_exit(code_of_sharing("/dev/null", stream, "/dev/null")),
                ::testing::ExitedWithCode(0), "")
        << "nothing is lost; that it is no regular file is another's to say";
  }
}

// In a process of its own, whose standard output may be spoilt.
int error_code_of_writing_to(const char* path) {
  const int file = ::open(path, O_WRONLY);
  ::dup2(file, STDOUT_FILENO);
  try {
    write_to_stdout("text");
  } catch (const IoError& error) {
    const std::string says = error.what();
    return says.find("No space left on device") != std::string::npos ? 6 : 1;
  }
  return 0;
}

TEST(WriteToStdoutTest, AFullDiskIsAnError) {
  EXPECT_EXIT(_exit(error_code_of_writing_to("/dev/full")), ::testing::ExitedWithCode(6), "");
  EXPECT_EXIT(_exit(error_code_of_writing_to("/dev/null")), ::testing::ExitedWithCode(0), "");
}

// Returns 0 if all of a text reached a reader who came late to a pipe that was full, and does not
// wait for room by itself.
int write_to_a_full_pipe() {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK) != 0) return 99;
  const std::string text(1 << 20, 'x');
  std::size_t filled = 0;
  for (ssize_t count = 0; count >= 0; filled += static_cast<std::size_t>(count)) {
    count = ::write(ends[1], text.data(), text.size());
    if (count < 0) break;
  }
  if (errno != EAGAIN) return 98;
  ::dup2(ends[1], STDOUT_FILENO);
  ::close(ends[1]);
  ::fcntl(ends[0], F_SETFL, 0);
  std::size_t arrived = 0;
  std::thread reader([&] {
    std::vector<char> buffer(1 << 16);
    for (ssize_t count = 1; count > 0; arrived += static_cast<std::size_t>(count)) {
      count = ::read(ends[0], buffer.data(), buffer.size());
      if (count < 0) break;
    }
  });
  int code = 0;
  try {
    write_to_stdout(text);
  } catch (const IoError&) {
    code = 6;
  }
  ::close(STDOUT_FILENO);
  reader.join();
  return code == 0 && arrived != filled + text.size() ? 1 : code;
}

TEST(WriteToStdoutTest, AFullPipeIsWaitedFor) {
  EXPECT_EXIT(_exit(write_to_a_full_pipe()), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace gradflip
