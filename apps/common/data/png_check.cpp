#include "apps/common/data/png_check.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <string>

#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr std::size_t kSignatureBytes = 8, kTypeBytes = 4, kFrameBytes = 12;
constexpr std::size_t kMaxChunkBytes = 0x7fffffff;

const Bytef* zlib_bytes(std::span<const std::byte> bytes) {
  return reinterpret_cast<const Bytef*>(bytes.data());
}

std::uint32_t big_endian(std::span<const std::byte> bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8U | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}

struct Chunk {
  std::string type;
  std::span<const std::byte> data;
  std::size_t end;  // of the whole chunk, in the file
};

Chunk chunk_at(std::span<const std::byte> file, std::size_t at) {
  if (at == file.size()) throw DataError("it ends without its last chunk, IEND");
  if (file.size() - at < kFrameBytes) throw DataError("a chunk is cut off");
  const std::size_t length = big_endian(file.subspan(at));
  if (length > kMaxChunkBytes || length > file.size() - at - kFrameBytes) {
    throw DataError("a chunk is cut off");
  }
  const auto checked = file.subspan(at + 4, kTypeBytes + length);
  Chunk chunk{{}, checked.subspan(kTypeBytes), at + kFrameBytes + length};
  for (const std::byte letter : checked.first(kTypeBytes)) {
    chunk.type += static_cast<char>(letter);
  }
  const auto crc =
      static_cast<std::uint32_t>(crc32(0, zlib_bytes(checked), static_cast<uInt>(checked.size())));
  if (crc != big_endian(file.subspan(chunk.end - 4))) {
    throw DataError(fmt::format("the checksum of the chunk at byte {} is wrong", at));
  }
  return chunk;
}

// The picture's compressed data, which may be cut into chunks anywhere.
class PictureData {
 public:
  explicit PictureData(std::size_t max_bytes) : left_(max_bytes) {
    if (inflateInit(&stream_) != Z_OK) throw std::bad_alloc();
  }
  ~PictureData() { inflateEnd(&stream_); }
  PictureData(const PictureData&) = delete;
  PictureData& operator=(const PictureData&) = delete;

  void add(std::span<const std::byte> data) {
    stream_.next_in = const_cast<Bytef*>(zlib_bytes(data));
    stream_.avail_in = static_cast<uInt>(data.size());
    while (stream_.avail_in > 0 && !complete_) inflate_some();
  }

  void require_complete() const {
    if (!complete_) throw DataError("its picture data ends early");
  }

 private:
  void inflate_some() {
    stream_.next_out = scratch_.data();
    stream_.avail_out = static_cast<uInt>(scratch_.size());
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    const std::size_t made = scratch_.size() - stream_.avail_out;
    if (made > left_) throw DataError("takes more memory than is allowed");
    left_ -= made;
    complete_ = status == Z_STREAM_END;
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      throw DataError(fmt::format("its picture data is damaged: {}",
                                  stream_.msg != nullptr ? stream_.msg : "no zlib stream"));
    }
  }

  z_stream stream_{};
  std::array<Bytef, 1U << 15U> scratch_{};
  std::size_t left_;
  bool complete_ = false;
};

}  // namespace

std::span<const std::byte> check_png(std::span<const std::byte> file, std::size_t max_pixel_bytes) {
  std::size_t at = kSignatureBytes;
  Chunk chunk = chunk_at(file, at);
  // Its colours are in another order, which stb_image leaves as they are.
  if (chunk.type == "CgBI") throw DataError("Apple's own variant of the format; convert it");
  PictureData picture(max_pixel_bytes);
  for (;; chunk = chunk_at(file, at)) {
    at = chunk.end;
    if (chunk.type == "IDAT") picture.add(chunk.data);
    if (chunk.type == "IEND") break;
  }
  picture.require_complete();
  return file.first(at);
}

}  // namespace gradflip
