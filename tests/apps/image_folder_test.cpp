#include "apps/common/data/image_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "apps/common/cli.h"
#include "apps/common/data/image_file.h"
#include "runtime/errors.h"
#include "tests/apps/bytes.h"
#include "tests/support/refused_opens.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;
using ::testing::ThrowsMessage;

std::vector<std::string> names(const ImageFolder& images) {
  std::vector<std::string> result;
  for (const auto& path : images.paths) result.push_back(path.filename().string());
  return result;
}

TEST(ImageFolder, PicturesAreListedInOrderOfTheirNames) {
  const TemporaryFolder folder;
  for (const std::string name :
       {"b.png", "A.PNG", "a.jpeg", "10.JPG", "9.jpg", "c.jpe", "C.JFIF"}) {
    write(folder / name, {});
  }
  const ImageFolder images = list_images(folder.path());
  EXPECT_THAT(names(images),
              ElementsAre("10.JPG", "9.jpg", "A.PNG", "C.JFIF", "a.jpeg", "b.png", "c.jpe"));
  EXPECT_EQ(images.note, std::nullopt);
}

TEST(ImageFolder, LinksToPicturesArePictures) {
  const TemporaryFolder folder, elsewhere;
  write(elsewhere / "original", {});
  std::filesystem::create_symlink(elsewhere / "original", folder / "a.png");
  EXPECT_THAT(names(list_images(folder.path())), ElementsAre("a.png"));
}

TEST(ImageFolder, WhatIsSkippedIsCountedInOneNote) {
  const TemporaryFolder folder;
  for (const std::string name : {"a.png", "._a.png", ".DS_Store", "b.bmp", "c.BMP", "d.txt", "png",
                                 "e.a name\nof two lines"}) {
    write(folder / name, {});
  }
  std::filesystem::create_directory(folder / "folder.png");
  std::filesystem::create_symlink("nowhere", folder / "link.png");
  const ImageFolder images = list_images(folder.path());
  EXPECT_THAT(names(images), ElementsAre("a.png"));
  EXPECT_THAT(images.note,
              Optional(folder.path().string() +
                       ": skipped 2 .bmp files, 1 .txt file, 2 files without extension, 1 folder, "
                       "2 hidden files and 1 other; pictures are named .jpg, .jpeg, .jpe, .jfif or "
                       ".png"));
}

TEST(ImageFolder, FoldersWithoutPicturesAreRejectedWithWhatTheyHold) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { list_images(folder / "absent"); },
              ThrowsMessage<DataError>(HasSubstr("absent: no such folder")));
  EXPECT_THAT([&] { list_images(folder.path()); },
              ThrowsMessage<DataError>(
                  HasSubstr("holds no .jpg, .jpeg, .jpe, .jfif or .png file, but nothing")));
  std::filesystem::create_symlink("nowhere", folder / "dangling");
  EXPECT_THAT(
      [&] { list_images(folder / "dangling"); },
      ThrowsMessage<DataError>(HasSubstr("dangling: a link to a folder that is not there")));
  std::filesystem::remove(folder / "dangling");
  write(folder / "a.webp", {});
  std::filesystem::create_directory(folder / "class_a");
  EXPECT_THAT([&] { list_images(folder.path()); },
              ThrowsMessage<DataError>(HasSubstr("but 1 .webp file and 1 folder")));
  EXPECT_THAT([&] { list_images(folder / "a.webp"); },
              ThrowsMessage<DataError>(HasSubstr("a.webp: not a folder")));
}

// Stands for any refusal of the operating system: those by permission do not stop an administrator.
TEST(ImageFolder, FoldersThatCannotBeReadAreIoErrorsThatNameThem) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_THAT([&] { list_images(folder / "loop"); },
              ThrowsMessage<IoError>(AllOf(HasSubstr("cannot read " + (folder / "loop").string()),
                                           HasSubstr("mend them"))));
  EXPECT_THAT([&] { list_images(folder / std::string(300, 'n')); },
              ThrowsMessage<IoError>(HasSubstr("choose a shorter name")));
}

constexpr int kNoMemory = 9, kSkipped = 77;

// In a process of its own, which can open no more folders, or files as they are read.
int code_without_memory_for(unsigned flags, const std::function<void()>& read) {
  if (!refuse_opens(flags, ENOMEM)) return kSkipped;
  try {
    read();
  } catch (const std::exception& error) {
    return static_cast<int>(exit_code_of(error));
  }
  return 0;
}

TEST(ImageFolder, WantOfMemoryIsNoMatterOfPermissions) {
  const TemporaryFolder folder;
  write(folder / "a.png", png_file(1, 1, 1, {7}));
  const auto is_told_or_skipped = [](int status) {
    return WIFEXITED(status) &&
           (WEXITSTATUS(status) == kNoMemory || WEXITSTATUS(status) == kSkipped);
  };
  const auto list = [&] { list_images(folder.path()); };
  EXPECT_EXIT(_exit(code_without_memory_for(O_DIRECTORY, list)), is_told_or_skipped, "");
  const auto read = [&] { read_image(folder / "a.png"); };
  EXPECT_EXIT(_exit(code_without_memory_for(O_NONBLOCK, read)), is_told_or_skipped, "");
}

}  // namespace
}  // namespace gradflip
