#include "apps/common/data/image_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <system_error>

#include "apps/common/data/folder.h"
#include "apps/common/data/jpeg_check.h"
#include "apps/common/data/png_check.h"
#include "apps/common/data/stb_decoder.h"
#include "runtime/atomic_file.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr std::array<unsigned char, 8> kPngSignature = {0x89, 'P',  'N',  'G',
                                                        '\r', '\n', 0x1a, '\n'};
constexpr std::array<unsigned char, 3> kJpegStart = {0xff, 0xd8, 0xff};

template <std::size_t Size>
bool starts_with(std::span<const std::byte> file, const std::array<unsigned char, Size>& magic) {
  return file.size() >= Size &&
         std::equal(magic.begin(), magic.end(), file.begin(),
                    [](unsigned char a, std::byte b) { return std::byte{a} == b; });
}

void require_size(std::span<const std::byte> file, const std::string& name,
                  const ImageLimits& limits) {
  if (file.size() > static_cast<std::uint64_t>(limits.max_file_bytes)) {
    throw DataError(fmt::format("{}: has {} bytes, and pictures may have {}; make it smaller", name,
                                file.size(), limits.max_file_bytes));
  }
}

}  // namespace

Images decode_image(std::span<const std::byte> file, const std::string& name,
                    const ImageLimits& limits) {
  require_size(file, name, limits);
  const bool jpeg = starts_with(file, kJpegStart);
  if (!jpeg && !starts_with(file, kPngSignature)) {
    throw DataError(fmt::format("{}: neither a PNG nor a JPEG file; convert or remove it", name));
  }
  try {
    // What follows the picture's own end never reaches the decoder.
    const auto picture = jpeg ? check_jpeg(file, limits.max_pixels)
                              : check_png(file, static_cast<std::size_t>(limits.max_memory_bytes));
    const stb::PictureSize size = stb::read_size(picture);
    if (size.height < 1 || size.width < 1) throw DataError("no pixels");
    // Before anything of that size is allocated. Both sides are below 2^31.
    if (size.height * size.width > limits.max_pixels) {
      throw DataError(fmt::format("{}x{} pixels, and at most {} in all are accepted", size.height,
                                  size.width, limits.max_pixels));
    }
    Images image = {1, size.height, size.width, 3,
                    stb::decode_rgb(picture, static_cast<std::size_t>(limits.max_memory_bytes))};
    require_valid(image, name);
    return image;
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: damaged or unsupported {} ({}); replace or remove it", name,
                                jpeg ? "JPEG" : "PNG", error.what()));
  }
}

Images read_image(const std::filesystem::path& path, const ImageLimits& limits) {
  // Any other failure is read_file's to tell.
  std::error_code failed;
  const auto type = std::filesystem::status(path, failed).type();
  if (type == std::filesystem::file_type::not_found) {
    throw DataError(absence_of(path, "file"));
  }
  const auto max_bytes = static_cast<std::uint64_t>(limits.max_file_bytes);
  const std::uintmax_t size =
      type == std::filesystem::file_type::regular ? std::filesystem::file_size(path, failed) : 0;
  if (!failed && size > max_bytes) {
    throw DataError(fmt::format("{}: has more than {} bytes; make it smaller", path.string(),
                                limits.max_file_bytes));
  }
  try {
    return decode_image(read_file(path, max_bytes), path.string(), limits);
  } catch (const std::bad_alloc&) {
    throw MemoryError(
        fmt::format("{}: out of memory while this picture was read; make it smaller, or remove it",
                    path.string()));
  }
}

}  // namespace gradflip
