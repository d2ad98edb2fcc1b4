// Pictures as PNG files.
#pragma once

#include <cstddef>
#include <vector>

#include "models/data/domain_data.h"

namespace gradflip {

// The bytes of a PNG file of one picture of 1, 3 or 4 channels; the same for the same pixels. Throws
// std::invalid_argument for anything else, std::bad_alloc if the machine has too little memory.
std::vector<std::byte> png_of(const Images& picture);

}  // namespace gradflip
