// Folders of photographs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace gradflip {

struct ImageFolder {
  std::vector<std::filesystem::path> paths;  // sorted by the bytes of their names
  std::optional<std::string> note;           // what else is in the folder and was skipped
};

// The .jpg, .jpeg, .jpe, .jfif and .png files (any case) directly in `folder`; hidden ones, which
// macOS and others put beside pictures, are none. Throws DataError if there is no such folder or it
// holds none, IoError if it cannot be read.
ImageFolder list_images(const std::filesystem::path& folder);

}  // namespace gradflip
