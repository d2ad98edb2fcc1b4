// IDX files, the format of MNIST: two zero bytes, the type of the values (0x08, unsigned byte), the
// number of dimensions, each size as a big-endian 32-bit number, then the values with the last
// dimension running fastest. Plain or compressed with gzip, told apart by content.
//
// The reader is strict: a file holds exactly what its header announces. Every DataError is one
// line: what is wrong, in which file and at which byte, and how to mend it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace gradflip {

struct IdxArray {
  std::vector<std::int64_t> sizes;   // 1, 3 or 4 of them
  std::vector<std::uint8_t> values;  // their product
};

// The most values that a file may announce: ten times the largest digit set in use.
inline constexpr std::uint64_t kMaxIdxValues = std::uint64_t{1} << 31U;

// Throws DataError if the file does not exist or is malformed, IoError if it cannot be read,
// MemoryError if the machine has less memory than it takes. A compressed file is never inflated
// beyond one byte more than its header announces.
IdxArray read_idx(const std::filesystem::path& path);

// The same for bytes in memory; `name` stands for the file in messages.
IdxArray parse_idx(std::span<const std::byte> file, const std::string& name,
                   std::uint64_t max_values = kMaxIdxValues);

// The bytes that precede the values in a plain file. Throws std::invalid_argument if there are not
// 1, 3 or 4 sizes, or one does not fit 32 bits.
std::vector<std::byte> idx_header(std::span<const std::int64_t> sizes);

// Writes a plain file, atomically (IoError). Plain, because compressed bytes depend on the version
// of zlib, and the sum of a written file should not.
void write_idx(const std::filesystem::path& path, std::span<const std::int64_t> sizes,
               std::span<const std::uint8_t> values);

}  // namespace gradflip
