#include "apps/common/data/idx.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>
#include <optional>
#include <system_error>

#include "apps/common/data/folder.h"
#include "apps/common/data/gzip.h"
#include "kernels/require.h"
#include "runtime/atomic_file.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr std::size_t kPrefixBytes = 4;  // zero, zero, type, number of dimensions
constexpr std::size_t kMaxHeaderBytes = kPrefixBytes + 4 * 4;
constexpr std::byte kUnsignedByte{0x08};
// Compressed files of noise are a little larger than what they hold.
constexpr std::uint64_t kMaxIdxFileBytes = kMaxIdxValues + (std::uint64_t{1} << 20U);

bool is_accepted_rank(std::size_t rank) { return rank == 1 || rank == 3 || rank == 4; }

struct IdxHeader {
  std::vector<std::int64_t> sizes;
  std::uint64_t bytes = 0;   // of the header
  std::uint64_t values = 0;  // announced

  std::uint64_t file_bytes() const { return bytes + values; }
};

// What `start` announces if its sizes are read little-endian, as some programs write them; nothing
// if that is more than `max_values`. `start` holds the whole header.
std::optional<std::uint64_t> little_endian_bytes(std::span<const std::byte> start, std::size_t rank,
                                                 std::uint64_t max_values) {
  std::uint64_t values = 1;
  for (std::size_t d = 0; d < rank; ++d) {
    std::uint64_t size = 0;
    for (std::size_t i = 4; i-- > 0;) {
      size = size << 8U | std::to_integer<std::uint64_t>(start[kPrefixBytes + 4 * d + i]);
    }
    values *= size;
    if (values > max_values) return {};
  }
  return kPrefixBytes + 4 * rank + values;
}

DataError little_endian_error(const std::string& name) {
  return DataError(
      fmt::format("{}: its header is little-endian, and IDX is big-endian; write the four bytes "
                  "of each number in the other order",
                  name));
}

// The prefix as one little-endian number: rank, type, zero, zero.
bool is_little_endian_prefix(std::span<const std::byte> start) {
  return is_accepted_rank(std::to_integer<std::size_t>(start[0])) && start[1] == kUnsignedByte &&
         start[2] == std::byte{0} && start[3] == std::byte{0};
}

// `start` holds the first kMaxHeaderBytes of the content, or all of it if that is shorter;
// length_within(limit) is the length of the content, or some number from `limit` on.
template <typename Length>
IdxHeader parse_header(std::span<const std::byte> start, const std::string& name,
                       std::uint64_t max_values, const Length& length_within) {
  const auto truncated = [&] {
    return DataError(
        fmt::format("{}: truncated: it ends at byte {}, inside the IDX header; fetch it again",
                    name, start.size()));
  };
  if (start.size() < kPrefixBytes) throw truncated();
  if (is_little_endian_prefix(start)) throw little_endian_error(name);
  if (start[0] != std::byte{0} || start[1] != std::byte{0}) {
    throw DataError(
        fmt::format("{}: not an IDX file: it starts with bytes {:02x} {:02x} instead of 00 00; "
                    "check that it is the right file",
                    name, std::to_integer<int>(start[0]), std::to_integer<int>(start[1])));
  }
  if (start[2] != kUnsignedByte) {
    throw DataError(
        fmt::format("{}: IDX type {:02x} at byte 2, and only 08 (unsigned bytes) is accepted; "
                    "convert the values to bytes",
                    name, std::to_integer<int>(start[2])));
  }
  const auto rank = std::to_integer<std::size_t>(start[3]);
  if (!is_accepted_rank(rank)) {
    throw DataError(
        fmt::format("{}: {} dimensions at byte 3, and 1 (labels), 3 (grey pictures) or 4 (colour "
                    "pictures) are accepted; check that it is the right file",
                    name, rank));
  }

  IdxHeader header;
  header.bytes = kPrefixBytes + 4 * rank;
  if (start.size() < header.bytes) throw truncated();
  header.values = 1;
  for (std::size_t d = 0; d < rank; ++d) {
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      size = size << 8U | std::to_integer<std::uint64_t>(start[kPrefixBytes + 4 * d + i]);
    }
    // Both factors are below 2^32: the product of earlier sizes has passed the check below.
    header.values *= size;
    if (header.values > max_values) {
      const auto other = little_endian_bytes(start, rank, max_values);
      if (other && length_within(*other + 1) == *other) throw little_endian_error(name);
      throw DataError(
          fmt::format("{}: the header announces more than {} values (size {} at byte {}); the file "
                      "is damaged, fetch it again",
                      name, max_values, size, kPrefixBytes + 4 * d));
    }
    header.sizes.push_back(static_cast<std::int64_t>(size));
  }
  return header;
}

// `start` begins the content, which has `length` bytes or, if those are more than announced, more.
void require_exact_length(std::span<const std::byte> start, std::uint64_t length,
                          const IdxHeader& header, const std::string& name) {
  const std::uint64_t announced = header.file_bytes();
  if (length != announced && little_endian_bytes(start, header.sizes.size(), length) == length) {
    throw little_endian_error(name);
  }
  if (length < announced) {
    throw DataError(
        fmt::format("{}: truncated: it ends at byte {}, and its header announces {} bytes; fetch "
                    "it again",
                    name, length, announced));
  }
  if (length > announced) {
    throw DataError(
        fmt::format("{}: data goes on at byte {}, where its header announces the end; fetch it "
                    "again",
                    name, announced));
  }
}

// The bytes after the header, once their number is known to be right.
IdxArray with_values(IdxHeader header, std::span<const std::byte> values) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(values.data());
  return {std::move(header.sizes), {first, first + values.size()}};
}

}  // namespace

IdxArray parse_idx(std::span<const std::byte> file, const std::string& name,
                   std::uint64_t max_values) {
  GRADFLIP_REQUIRE(max_values < std::numeric_limits<std::uint32_t>::max(),
                   message("parse_idx: the limit is ", max_values, " values"));
  if (!is_gzip(file)) {
    IdxHeader header = parse_header(file.first(std::min(file.size(), kMaxHeaderBytes)), name,
                                    max_values, [&](std::uint64_t) { return file.size(); });
    require_exact_length(file, file.size(), header, name);
    const std::span<const std::byte> values = file.subspan(header.bytes);
    return with_values(std::move(header), values);
  }
  // The start is inflated twice: once to learn how much may come out at all.
  IdxHeader header =
      parse_header(gunzip(file, kMaxHeaderBytes, name), name, max_values,
                   [&](std::uint64_t limit) { return gunzip(file, limit, name).size(); });
  const std::vector<std::byte> content = gunzip(file, header.file_bytes() + 1, name);
  require_exact_length(content, content.size(), header, name + " (uncompressed)");
  const std::span<const std::byte> values = std::span(content).subspan(header.bytes);
  return with_values(std::move(header), values);
}

IdxArray read_idx(const std::filesystem::path& path) {
  // Any other failure is read_file's to tell.
  std::error_code ignored;
  if (std::filesystem::status(path, ignored).type() == std::filesystem::file_type::not_found) {
    throw DataError(absence_of(path, "file"));
  }
  try {
    return parse_idx(read_file(path, kMaxIdxFileBytes), path.string());
  } catch (const std::bad_alloc&) {
    throw MemoryError(
        fmt::format("{}: out of memory while this file was read; use less data", path.string()));
  }
}

std::vector<std::byte> idx_header(std::span<const std::int64_t> sizes) {
  GRADFLIP_REQUIRE(
      is_accepted_rank(sizes.size()),
      message("idx_header: ", sizes.size(), " dimensions, and 1, 3 or 4 are accepted"));
  std::vector<std::byte> header = {std::byte{0}, std::byte{0}, kUnsignedByte,
                                   static_cast<std::byte>(sizes.size())};
  for (const std::int64_t size : sizes) {
    GRADFLIP_REQUIRE(size >= 0 && size <= std::numeric_limits<std::uint32_t>::max(),
                     message("idx_header: size ", size, " does not fit 32 bits"));
    for (int shift = 24; shift >= 0; shift -= 8) {
      header.push_back(static_cast<std::byte>(size >> shift));
    }
  }
  return header;
}

void write_idx(const std::filesystem::path& path, std::span<const std::int64_t> sizes,
               std::span<const std::uint8_t> values) {
  std::vector<std::byte> file = idx_header(sizes);
  const IdxHeader announced =
      parse_header(file, path.string(), kMaxIdxValues, [&](std::uint64_t) { return file.size(); });
  GRADFLIP_REQUIRE(announced.values == values.size(),
                   message("write_idx: the sizes make ", announced.values,
                           " values, but there are ", values.size()));
  const auto bytes = std::as_bytes(values);
  file.insert(file.end(), bytes.begin(), bytes.end());
  write_file_atomically(path, file);
}

}  // namespace gradflip
