#include "apps/common/data/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "apps/common/data/image_file.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr std::array<std::string_view, 3> kExtensions = {".jpg", ".jpeg", ".png"};

bool is_image_name(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& letter : extension) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace

std::vector<std::filesystem::path> list_images(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) {
    throw DataError(fmt::format("{}: no such folder; check its name", folder.string()));
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file() && is_image_name(entry.path())) paths.push_back(entry.path());
  }
  if (paths.empty()) {
    throw DataError(
        fmt::format("{}: holds no .jpg, .jpeg or .png file; check its name", folder.string()));
  }
  std::sort(paths.begin(), paths.end(), [](const auto& a, const auto& b) {
    return a.filename().string() < b.filename().string();
  });
  return paths;
}

std::vector<Images> read_images_in(const std::filesystem::path& folder) {
  std::vector<Images> images;
  for (const std::filesystem::path& path : list_images(folder)) images.push_back(read_image(path));
  return images;
}

}  // namespace gradflip
