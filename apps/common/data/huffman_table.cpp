#include "apps/common/data/huffman_table.h"

namespace gradflip {

HuffmanTable::HuffmanTable(std::span<const std::byte> counts, std::span<const std::byte> values) {
  unsigned code = 0;
  std::size_t index = 0;
  for (std::size_t i = 0; i < end_.size(); ++i) {
    const auto count = std::to_integer<unsigned>(counts[i]);
    first_[i] = code;
    index_[i] = index;
    code += count;
    index += count;
    end_[i] = code << (15U - i);
    code <<= 1U;
  }
  values_.reserve(index);
  for (const std::byte value : values.first(index)) {
    values_.push_back(std::to_integer<std::uint8_t>(value));
  }
}

std::optional<HuffmanTable::Code> HuffmanTable::find(unsigned bits) const {
  for (std::size_t i = 0; i < end_.size(); ++i) {
    if (bits >= end_[i]) continue;
    return Code{values_[index_[i] + (bits >> (15U - i)) - first_[i]], static_cast<unsigned>(i) + 1};
  }
  return {};
}

}  // namespace gradflip
