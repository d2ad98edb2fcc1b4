// PNG and JPEG pictures, from untrusted files too: every input gives a picture or a DataError. For
// one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "models/domain_data.h"

namespace gradflip {

struct ImageLimits {
  std::int64_t max_file_bytes = std::int64_t{64} << 20U;
  std::int64_t max_pixels = std::int64_t{1} << 24U;
  std::int64_t max_memory_bytes = std::int64_t{512} << 20U;  // at any time while decoding
};

// The picture that `file` holds, as one image of 3 channels (R, G, B): grey is replicated, 16 bits
// become 8, transparency is ignored. `name` stands for the file in messages. Throws DataError, one
// line, if it is neither PNG nor JPEG, malformed, or beyond the limits.
//
// PNG is lossless; a JPEG's pixels may differ by a grey level or two between decoders.
Images decode_image(std::span<const std::byte> file, const std::string& name,
                    const ImageLimits& limits = {});

// The same for a file; IoError if it cannot be read, DataError if it does not exist.
Images read_image(const std::filesystem::path& path, const ImageLimits& limits = {});

}  // namespace gradflip
