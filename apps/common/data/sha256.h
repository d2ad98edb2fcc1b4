// SHA-256 (FIPS 180-4), for checking and naming data; not meant for secrets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace gradflip {

class Sha256 {
 public:
  void update(std::span<const std::byte> bytes);
  void update(std::span<const std::uint8_t> bytes) { update(std::as_bytes(bytes)); }

  // The sum of all bytes so far as 64 lower-case hexadecimal digits. More may be added after it.
  std::string hex() const;

 private:
  void absorb(const std::byte* block);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667U, 0xbb67ae85U, 0x3c6ef372U, 0xa54ff53aU,
                                         0x510e527fU, 0x9b05688cU, 0x1f83d9abU, 0x5be0cd19U};
  std::array<std::byte, 64> pending_ = {};  // the bytes after the last whole block
  std::uint64_t byte_count_ = 0;
};

std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace gradflip
