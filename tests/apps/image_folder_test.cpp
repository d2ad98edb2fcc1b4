#include "apps/common/data/image_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/errors.h"
#include "tests/apps/bytes.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(ImageFolder, PicturesAreListedInOrderOfTheirNames) {
  const TemporaryFolder folder;
  for (const std::string name :
       {"b.png", "A.PNG", "a.jpeg", "10.JPG", "9.jpg", "notes.txt", "png"}) {
    write(folder / name, png_file(1, 1, 1, {static_cast<std::uint8_t>(name.size())}));
  }
  std::filesystem::create_directory(folder / "folder.png");
  std::vector<std::string> names;
  for (const auto& path : list_images(folder.path())) names.push_back(path.filename().string());
  EXPECT_THAT(names, ElementsAre("10.JPG", "9.jpg", "A.PNG", "a.jpeg", "b.png"));

  const std::vector<Images> images = read_images_in(folder.path());
  ASSERT_EQ(images.size(), 5U);
  EXPECT_THAT(images[3].pixels, Each(6));
}

TEST(ImageFolder, FoldersWithoutPicturesAreRejected) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { list_images(folder / "absent"); },
              ThrowsMessage<DataError>(HasSubstr("absent: no such folder")));
  EXPECT_THAT([&] { list_images(folder.path()); },
              ThrowsMessage<DataError>(HasSubstr("holds no .jpg, .jpeg or .png file")));
  write(folder / "broken.jpg", bytes_of({0xff, 0xd8, 0xff}));
  EXPECT_THAT([&] { read_images_in(folder.path()); },
              ThrowsMessage<DataError>(AllOf(HasSubstr("broken.jpg"), HasSubstr("remove it"))));
}

}  // namespace
}  // namespace gradflip
