// Whatever the bytes are: DataError on one line, or a valid picture within the limits. The same
// bytes give the same picture.

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "apps/common/data/image_file.h"
#include "runtime/errors.h"

namespace {

// Small enough for thousands of pictures a second.
constexpr gradflip::ImageLimits kLimits = {
    .max_file_bytes = 1 << 20, .max_pixels = 1 << 18, .max_memory_bytes = 1 << 24};

void require(bool condition) {
  if (!condition) std::abort();
}

void try_picture(std::span<const std::byte> file) {
  try {
    const gradflip::Images image = gradflip::decode_image(file, "input", kLimits);
    gradflip::require_valid(image, "the decoded picture");
    require(image.count == 1 && image.channels == 3 &&
            image.pixels_per_image() <= kLimits.max_pixels);
    require(gradflip::decode_image(file, "input", kLimits).pixels == image.pixels);
  } catch (const gradflip::DataError& error) {
    require(std::string(error.what()).find('\n') == std::string::npos);
  }
}

std::uint32_t big_endian(const std::byte* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8U | std::to_integer<std::uint32_t>(at[i]);
  return value;
}

// The file with the checksums that its chunks would have if it were a PNG: no mutation hits them,
// and without them the decoder behind the check would never see a mutated picture.
std::vector<std::byte> with_png_checksums(std::span<const std::byte> bytes) {
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  for (std::size_t at = 8; file.size() >= at + 12;) {
    const std::size_t length = big_endian(&file[at]);
    if (length > file.size() - at - 12) break;
    const auto sum = static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(&file[at + 4]), static_cast<uInt>(length + 4)));
    for (std::size_t i = 0; i < 4; ++i) {
      file[at + 8 + length + i] = static_cast<std::byte>(sum >> (24 - 8 * i));
    }
    at += 12 + length;
  }
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try_picture(file);
  try_picture(with_png_checksums(file));
  return 0;
}
