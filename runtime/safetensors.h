// safetensors files: named tensors and string metadata, no code. The layout, little-endian:
//
//   8 bytes  N, the length of the header
//   N bytes  header, padded with spaces: a JSON object
//              {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, ...,
//               "__metadata__": {"key": "value", ...}}
//   rest     the tensors' bytes, without holes; offsets count from here
//
// The reader is strict: whatever two readers could understand differently is refused (duplicate
// keys, overlaps, holes, bytes that no tensor owns), and so is what passes the limits below. Values
// are not looked at: NaN is legal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace gradflip {

inline constexpr std::size_t kMaxSafetensorsHeaderBytes = std::size_t{16} << 20U;
inline constexpr std::uint64_t kMaxSafetensorsFileBytes = std::uint64_t{4} << 30U;
inline constexpr std::size_t kMaxSafetensorsEntries = 100'000;  // tensors, and also metadata keys
inline constexpr std::size_t kMaxSafetensorsNameBytes = 1024;
inline constexpr std::size_t kMaxSafetensorsRank = 8;
inline constexpr std::uint64_t kMaxSafetensorsInteger = std::uint64_t{1} << 48U;

// A view: `bytes` belongs to the maker of the view. Dense, row-major, little-endian.
struct SafetensorsTensor {
  std::string dtype;                // as the format writes it: "F32", "BF16", "I64", "U8", ...
  std::vector<std::int64_t> shape;  // empty: a scalar
  std::span<const std::byte> bytes;
};

using SafetensorsMetadata = std::map<std::string, std::string>;
using SafetensorsTensors = std::map<std::string, SafetensorsTensor>;

struct Safetensors {
  SafetensorsMetadata metadata;
  SafetensorsTensors tensors;
};

// What a whole file in memory holds; the tensors are views into `file`. Throws ModelFileError, one
// line, for anything but a valid file.
Safetensors parse_safetensors(std::span<const std::byte> file);

// The whole file, byte for byte as the reference implementation lays it out: tensors by descending
// alignment, then name; header padded to a multiple of 8. parse_safetensors accepts it, and equal
// contents give equal bytes. Throws std::invalid_argument if a tensor's size does not match its
// shape, or a limit or a rule of the format is broken.
std::vector<std::byte> format_safetensors(const SafetensorsTensors& tensors,
                                          const SafetensorsMetadata& metadata);

// A file's bytes and what they hold. Move-only, since the tensors are views.
struct SafetensorsFile {
  std::vector<std::byte> bytes;
  Safetensors content;

  SafetensorsFile() = default;
  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;
};

// Throws IoError if the file cannot be read or is larger than kMaxSafetensorsFileBytes,
// ModelFileError if it is malformed; both name the path.
SafetensorsFile read_safetensors(const std::filesystem::path& path);

// format_safetensors, written by write_file_atomically: IoError leaves an older file as it was.
// std::invalid_argument also if the file would be larger than kMaxSafetensorsFileBytes.
void write_safetensors(const std::filesystem::path& path, const SafetensorsTensors& tensors,
                       const SafetensorsMetadata& metadata);

}  // namespace gradflip
