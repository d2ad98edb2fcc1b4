// Pictures of digits at the size of the network's input.
#pragma once

#include <cstdint>
#include <string>

#include "models/data/domain_data.h"

namespace gradflip {

// The pictures at size x size: the same; 4 larger on each axis is cropped by 2 pixels a side (the
// frame around digits stored as 32x32), smaller is enlarged bilinearly (half-pixel centres, integer
// arithmetic). Other sizes are DataErrors that name `what` and both sizes.
Images fit_to(Images images, std::int64_t size, const std::string& what);

// What fit_to does to pictures of height x width.
enum class Fit { kUnchanged, kCropped, kEnlarged, kRefused };
Fit fit_of(std::int64_t height, std::int64_t width, std::int64_t size);

}  // namespace gradflip
