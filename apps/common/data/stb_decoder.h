// The distribution's stb_image behind an allocator and assertions of our own. Its PNG and JPEG
// readers have a history of memory errors on hostile input (CVE-2022-28041, -28042, -28048 and
// others are open in version 2.27), so nothing but image_file.cpp, which checks the input first,
// may call this, and from one thread at a time: some of the decoder's reasons are in a static
// buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradflip::stb {

struct PictureSize {
  std::int64_t height = 0, width = 0;
};

// What the header announces. Throws DataError (the reason only).
PictureSize read_size(std::span<const std::byte> file);

// The pixels as height x width x 3 bytes: grey is replicated, 16 bits become 8, alpha is dropped.
// Allocates at most max_bytes at a time, and keeps nothing when it throws DataError (the
// reason only) or std::bad_alloc.
std::vector<std::uint8_t> decode_rgb(std::span<const std::byte> file, std::size_t max_bytes);

}  // namespace gradflip::stb
