#include "apps/common/data/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "apps/common/data/folder.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr std::array<std::string_view, 5> kExtensions = {".jpg", ".jpeg", ".jpe", ".jfif", ".png"};
constexpr std::string_view kExtensionsInWords = ".jpg, .jpeg, .jpe, .jfif or .png";

bool is_image(const FolderEntry& entry) {
  const std::string extension = lower_case(entry.path.extension().string());
  return entry.kind == EntryKind::kFile && !entry.hidden() &&
         std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace

ImageFolder list_images(const std::filesystem::path& folder) {
  ImageFolder images;
  std::vector<FolderEntry> skipped;
  for (FolderEntry& entry : list_folder(folder)) {
    if (is_image(entry)) {
      images.paths.push_back(std::move(entry.path));
    } else {
      skipped.push_back(std::move(entry));
    }
  }
  if (images.paths.empty()) {
    throw DataError(fmt::format("{}: holds no {} file, but {}; check its name, or convert them",
                                folder.string(), kExtensionsInWords, summary_of(skipped)));
  }
  if (!skipped.empty()) {
    images.note = fmt::format("{}: skipped {}; pictures are named {}", folder.string(),
                              summary_of(skipped), kExtensionsInWords);
  }
  return images;
}

}  // namespace gradflip
