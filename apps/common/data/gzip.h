// Reading gzip files with a limit on what comes out.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace gradflip {

// Whether the bytes start like a gzip file.
bool is_gzip(std::span<const std::byte> file);

// The first `limit` bytes that `file` inflates to, all its members one after the other (RFC 1952,
// 2.2); fewer only if that is all of them, and then each member's checksum and length have been
// checked and nothing but zeros follows the last. Memory stays within what so many compressed bytes
// can inflate to, whatever `limit` is.
//
// Throws DataError, one line that names the file, if it is damaged or truncated, or if something
// else follows.
std::vector<std::byte> gunzip(std::span<const std::byte> file, std::size_t limit,
                              const std::string& name);

}  // namespace gradflip
