#include "tests/apps/bytes.h"

#include <zlib.h>

#include <fstream>
#include <stdexcept>

namespace gradflip {
namespace {

Bytes deflated(const Bytes& content, int window_bits) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::runtime_error("deflateInit2");
  }
  Bytes out(deflateBound(&stream, content.size()) + 64);
  Bytes in = content;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  out.erase(out.end() - static_cast<std::ptrdiff_t>(stream.avail_out), out.end());
  deflateEnd(&stream);
  if (status != Z_STREAM_END) throw std::runtime_error("deflate");
  return out;
}

}  // namespace

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Bytes first_of(const Bytes& bytes, std::size_t count) {
  Bytes start = bytes;
  start.resize(count);
  return start;
}

Bytes with_byte(Bytes bytes, std::size_t at, int value) {
  bytes.at(at) = static_cast<std::byte>(value);
  return bytes;
}

Bytes big_endian(std::uint32_t value) {
  return bytes_of({static_cast<int>(value >> 24U), static_cast<int>(value >> 16U & 0xffU),
                   static_cast<int>(value >> 8U & 0xffU), static_cast<int>(value & 0xffU)});
}

void write(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

Bytes idx_file(const std::vector<std::uint32_t>& sizes, std::size_t value_count, int modulus) {
  Bytes file = bytes_of({0, 0, 8, static_cast<int>(sizes.size())});
  for (const std::uint32_t size : sizes) file = joined({file, big_endian(size)});
  for (std::size_t i = 0; i < value_count; ++i) {
    file.push_back(static_cast<std::byte>(i % static_cast<std::size_t>(modulus)));
  }
  return file;
}

Bytes gzip(const Bytes& content) { return deflated(content, 16 + MAX_WBITS); }

Bytes png_chunk(const std::string& type, const Bytes& data) {
  Bytes checked;
  for (const char letter : type) checked.push_back(static_cast<std::byte>(letter));
  checked.insert(checked.end(), data.begin(), data.end());
  const auto crc = static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size())));
  return joined({big_endian(static_cast<std::uint32_t>(data.size())), checked, big_endian(crc)});
}

Bytes png_file(std::uint32_t height, std::uint32_t width, int channels,
               const std::vector<std::uint8_t>& pixels) {
  constexpr int kColourType[] = {0, 0, 4, 2, 6};
  Bytes rows;
  const std::size_t row_bytes = std::size_t{width} * static_cast<std::size_t>(channels);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    if (i % row_bytes == 0) rows.push_back(std::byte{0});  // no filter
    rows.push_back(static_cast<std::byte>(pixels[i]));
  }
  return joined({bytes_of({0x89, 'P', 'N', 'G', 13, 10, 26, 10}),
                 png_chunk("IHDR", joined({big_endian(width), big_endian(height),
                                           bytes_of({8, kColourType[channels], 0, 0, 0})})),
                 png_chunk("IDAT", deflated(rows, MAX_WBITS)), png_chunk("IEND", {})});
}

Bytes jpeg_segment(int marker, const Bytes& data) {
  const std::size_t length = data.size() + 2;
  return joined(
      {bytes_of({0xff, marker, static_cast<int>(length >> 8U), static_cast<int>(length & 0xffU)}),
       data});
}

Bytes jpeg_file(bool brighter) {
  const Bytes quantisation = joined({bytes_of({0}), Bytes(64, std::byte{16})});
  const Bytes frame = bytes_of({8, 0, 8, 0, 8, 1, 1, 0x11, 0});
  // Codes of two bits: 00 and 01. DC sizes 0 and 3; the only AC code is the end of the block.
  const Bytes dc = bytes_of({0x00, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3});
  const Bytes ac = bytes_of({0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const Bytes scan = bytes_of({1, 1, 0x00, 0, 63, 0});
  // DC 0, end of block, then ones; or DC of size 3, value 4: 4 * 16 / 8 = 8 levels more.
  const int data = brighter ? 0b01100001 : 0b00001111;
  return joined({bytes_of({0xff, 0xd8}), jpeg_segment(0xdb, quantisation),
                 jpeg_segment(0xc0, frame), jpeg_segment(0xc4, dc), jpeg_segment(0xc4, ac),
                 jpeg_segment(0xda, scan), bytes_of({data, 0xff, 0xd9})});
}

}  // namespace gradflip
