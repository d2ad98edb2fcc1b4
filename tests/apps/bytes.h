// Bytes of files that tests make up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

namespace gradflip {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::initializer_list<int> values);
Bytes joined(std::initializer_list<Bytes> parts);
Bytes first_of(const Bytes& bytes, std::size_t count);
Bytes with_byte(Bytes bytes, std::size_t at, int value);
Bytes big_endian(std::uint32_t value);
void write(const std::filesystem::path& path, const Bytes& bytes);

// An IDX file of unsigned bytes that announces `sizes` and holds `value_count` values 0, 1, 2, ...
// modulo `modulus`.
Bytes idx_file(const std::vector<std::uint32_t>& sizes, std::size_t value_count, int modulus = 251);

// `content` as one gzip member.
Bytes gzip(const Bytes& content);

// A PNG of 8 bits per channel; pixels has height * width * channels bytes, channels 1 to 4.
Bytes png_file(std::uint32_t height, std::uint32_t width, int channels,
               const std::vector<std::uint8_t>& pixels);
Bytes png_chunk(const std::string& type, const Bytes& data);

// Baseline JPEGs of one grey 8x8 block, all of one level: 128 or 136.
Bytes jpeg_file(bool brighter = false);
Bytes jpeg_segment(int marker, const Bytes& data);

}  // namespace gradflip
