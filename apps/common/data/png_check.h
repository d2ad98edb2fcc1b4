// What a PNG must satisfy before stb_image sees it, which reads its structure and skips its
// checksums.
#pragma once

#include <cstddef>
#include <span>

namespace gradflip {

// Throws DataError (the reason only) if a chunk is cut off or its checksum (CRC-32 of type and
// data; PNG specification, 5.3) is wrong, if there is no IEND, or if the compressed picture is
// damaged, ends early or does not go with its own checksum (Adler-32; RFC 1950). `file` starts with
// the signature. Returns the part of the file up to and with IEND: what follows is no part of the
// picture.
//
// Decompresses the picture once, without keeping it: at most max_pixel_bytes of it.
std::span<const std::byte> check_png(std::span<const std::byte> file, std::size_t max_pixel_bytes);

}  // namespace gradflip
