#include "apps/common/data/png_file.h"

#include <cstdint>
#include <limits>
#include <new>

#include "kernels/require.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace gradflip {
namespace {

void append_bytes(void* file, void* bytes, int size) {
  const auto* const begin = static_cast<const std::byte*>(bytes);
  auto* const all = static_cast<std::vector<std::byte>*>(file);
  all->insert(all->end(), begin, begin + size);
}

}  // namespace

std::vector<std::byte> png_of(const Images& picture) {
  constexpr std::int64_t kMostBytes = std::numeric_limits<std::int32_t>::max() / 4;
  GRADFLIP_REQUIRE(picture.count == 1 && picture.height > 0 && picture.width > 0 &&
                       (picture.channels == 1 || picture.channels == 3 || picture.channels == 4) &&
                       picture.bytes_per_image() <= kMostBytes &&
                       std::ssize(picture.pixels) == picture.bytes_per_image(),
                   message("png: ", picture.count, " pictures of ", picture.height, "x",
                           picture.width, "x", picture.channels));
  std::vector<std::byte> file;
  const int written = stbi_write_png_to_func(
      append_bytes, &file, static_cast<int>(picture.width), static_cast<int>(picture.height),
      static_cast<int>(picture.channels), picture.pixels.data(),
      static_cast<int>(picture.width * picture.channels));
  if (written == 0) throw std::bad_alloc();
  return file;
}

}  // namespace gradflip
