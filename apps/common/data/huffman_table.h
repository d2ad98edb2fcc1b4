// Huffman codes of JPEG: ITU T.81, annexes C and F.2.2.3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace gradflip {

// A Huffman table as DHT holds it: the number of codes of each length, and their values.
class HuffmanTable {
 public:
  // counts has 16 entries, which fit their lengths; values has as many as they add up to.
  HuffmanTable(std::span<const std::byte> counts, std::span<const std::byte> values);

  // The value whose code `bits` (the next 16, first one highest) begins with, and its length; empty
  // if there is none.
  struct Code {
    unsigned value, length;
  };
  std::optional<Code> find(unsigned bits) const;

 private:
  std::array<unsigned, 16> end_{};    // of the codes of each length, as 16 bits; exclusive
  std::array<unsigned, 16> first_{};  // code of each length, right-aligned
  std::array<std::size_t, 16> index_{};
  std::vector<std::uint8_t> values_;
};

}  // namespace gradflip
