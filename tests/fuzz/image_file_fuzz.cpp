// Whatever the bytes are: DataError on one line, or a valid picture within the limits. The same
// bytes give the same picture.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "apps/common/data/image_file.h"
#include "runtime/errors.h"

namespace {

// Small enough for thousands of pictures a second.
constexpr gradflip::ImageLimits kLimits = {
    .max_file_bytes = 1 << 20, .max_pixels = 1 << 18, .max_memory_bytes = 1 << 24};

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try {
    const gradflip::Images image = gradflip::decode_image(file, "input", kLimits);
    gradflip::require_valid(image, "the decoded picture");
    require(image.count == 1 && image.channels == 3 &&
            image.pixels_per_image() <= kLimits.max_pixels);
    require(gradflip::decode_image(file, "input", kLimits).pixels == image.pixels);
  } catch (const gradflip::DataError& error) {
    require(std::string(error.what()).find('\n') == std::string::npos);
  }
  return 0;
}
