// PNG and JPEG pictures, from untrusted files too: every input gives a picture or a DataError. For
// one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "models/data/domain_data.h"

namespace gradflip {

// Enough for every camera's pictures of 50 megapixels.
struct ImageLimits {
  std::int64_t max_file_bytes = std::int64_t{256} << 20U;
  std::int64_t max_pixels = std::int64_t{1} << 26U;
  // At any time while decoding; beside it there are the file and 3 bytes a pixel of the result.
  std::int64_t max_memory_bytes = std::int64_t{1} << 30U;
};

// The picture that `file` holds, as one image of 3 channels (R, G, B): grey is replicated, 16 bits
// become 8, transparency is ignored. `name` stands for the file in messages. Throws DataError, one
// line, if it is neither PNG nor JPEG, malformed, damaged as far as checksums and lengths tell
// (png_check.h, jpeg_check.h), or beyond the limits; std::bad_alloc if the machine has less memory
// than they allow. What follows the picture's end in the file is ignored.
//
// PNG is lossless. A JPEG's pixels may differ by a grey level or two between decoders; where colour
// has half the horizontal resolution alone (4:2:2), the last column but one by up to 31.
Images decode_image(std::span<const std::byte> file, const std::string& name,
                    const ImageLimits& limits = {});

// The same for a file; IoError if it cannot be read, DataError if it does not exist, MemoryError
// for std::bad_alloc.
Images read_image(const std::filesystem::path& path, const ImageLimits& limits = {});

}  // namespace gradflip
