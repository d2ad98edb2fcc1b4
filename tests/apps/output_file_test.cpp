#include "apps/common/run/output_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "runtime/errors.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

TEST(RequireWritableTest, AcceptsNewAndExistingFilesAndLeavesNothingBehind) {
  const TemporaryFolder folder;
  std::ofstream(folder / "old") << "kept";
  EXPECT_NO_THROW(require_writable(folder / "new"));
  EXPECT_NO_THROW(require_writable(folder / "old"));
  EXPECT_FALSE(std::filesystem::exists(folder / "new"));
  EXPECT_EQ(std::filesystem::file_size(folder / "old"), 4U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(RequireWritableTest, RefusesFoldersAndWhatLiesInNone) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "";
  EXPECT_THROW(require_writable(folder.path()), IoError);
  EXPECT_THROW(require_writable(folder / "missing/"), IoError);
  EXPECT_THROW(require_writable(folder / "missing/file"), IoError);
  EXPECT_THROW(require_writable(folder / "file/file"), IoError);
  EXPECT_THROW(require_writable("/proc/gradflip"), IoError);
}

TEST(WithSuffixTest, StandsBeforeTheExtension) {
  EXPECT_EQ(with_suffix("out/model.safetensors", "dann-seed1"), "out/model-dann-seed1.safetensors");
  EXPECT_EQ(with_suffix("model", "a"), "model-a");
  EXPECT_EQ(with_suffix("/a.b/model.v2.st", "x"), "/a.b/model.v2-x.st");
}

}  // namespace
}  // namespace gradflip
