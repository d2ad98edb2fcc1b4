#include "apps/common/data/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include "kernels/require.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr std::size_t kMaxExpansion = 1032;  // of deflate: 258 bytes from 2 bits
// zlib counts in 32 bits.
constexpr std::size_t kMaxStreamBytes = std::numeric_limits<uInt>::max();

class InflateStream {
 public:
  InflateStream() {
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~InflateStream() { inflateEnd(&stream_); }
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;

  z_stream* operator->() { return &stream_; }
  int inflate() { return ::inflate(&stream_, Z_NO_FLUSH); }
  // Input and output go on where they are.
  void next_member() { inflateReset(&stream_); }

 private:
  z_stream stream_{};
};

// What tapes and block devices fill the last block with.
bool is_padding(std::span<const std::byte> rest) {
  return std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

bool is_gzip(std::span<const std::byte> file) {
  return file.size() >= 2 && file[0] == std::byte{0x1f} && file[1] == std::byte{0x8b};
}

std::vector<std::byte> gunzip(std::span<const std::byte> file, std::size_t limit,
                              const std::string& name) {
  GRADFLIP_REQUIRE(file.size() <= kMaxStreamBytes && limit < kMaxStreamBytes,
                   message("gunzip: ", file.size(), " bytes, limit ", limit, ": too large"));
  // zlib calls a null output pointer an error even when it has nothing to write.
  std::vector<std::byte> content(std::min(limit, file.size() * kMaxExpansion) + 1);
  InflateStream stream;
  stream->next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(file.data()));
  stream->avail_in = static_cast<uInt>(file.size());
  stream->next_out = reinterpret_cast<Bytef*>(content.data());
  stream->avail_out = static_cast<uInt>(content.size());

  for (;;) {
    const int status = stream.inflate();
    const std::size_t have = content.size() - stream->avail_out;
    if (have > limit) {
      content.resize(limit);
      return content;
    }
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status == Z_OK || status == Z_BUF_ERROR) {
      throw DataError(
          fmt::format("{}: truncated: the compressed data ends at byte {} without its checksum; "
                      "fetch it again",
                      name, file.size()));
    }
    if (status != Z_STREAM_END) {
      throw DataError(fmt::format("{}: damaged compressed data near byte {} ({}); fetch it again",
                                  name, file.size() - stream->avail_in,
                                  stream->msg != nullptr ? stream->msg : "no gzip stream"));
    }
    const std::span<const std::byte> rest = file.last(stream->avail_in);
    if (is_padding(rest)) {
      content.resize(have);
      return content;
    }
    if (!is_gzip(rest)) {
      throw DataError(fmt::format(
          "{}: {} bytes follow the compressed data at byte {}, and are neither zeros nor more of "
          "it; fetch it again",
          name, rest.size(), file.size() - rest.size()));
    }
    stream.next_member();
  }
}

}  // namespace gradflip
