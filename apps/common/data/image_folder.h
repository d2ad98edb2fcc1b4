// Folders of photographs.
#pragma once

#include <filesystem>
#include <vector>

#include "models/domain_data.h"

namespace gradflip {

// The .jpg, .jpeg and .png files (any case) directly in `folder`, sorted by the bytes of their
// names, so that the order is the same on every file system. Throws DataError if there is no such
// folder or it holds none.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& folder);

// Each of them as one image of 3 channels; sizes may differ. Throws as read_image does.
std::vector<Images> read_images_in(const std::filesystem::path& folder);

}  // namespace gradflip
