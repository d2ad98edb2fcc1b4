#include "apps/common/shown.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace gradflip {
namespace {

struct Range {
  unsigned first, last;
};

// What has no ink, breaks a line, or turns the direction of writing; not the joiners of scripts.
constexpr Range kUnseen[] = {{0x80, 0x9F},     {0xAD, 0xAD},     {0x200B, 0x200B},
                             {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x2064},
                             {0x2066, 0x2069}, {0xFEFF, 0xFEFF}};

unsigned byte_at(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
}

// Of a character of UTF-8 that takes `size` bytes, 2 or 3, and starts with text[i]; 0 if none does.
unsigned character_at(std::string_view text, std::size_t i, std::size_t size) {
  const unsigned first = byte_at(text, i);
  if (size == 2 ? first >> 5U != 0b110 : first >> 4U != 0b1110) return 0;
  unsigned character = first & (size == 2 ? 0x1FU : 0x0FU);
  for (std::size_t k = 1; k < size; ++k) {
    const unsigned next = byte_at(text, i + k);
    if (next >> 6U != 0b10) return 0;
    character = character << 6U | (next & 0x3FU);
  }
  return character;
}

bool is_unseen(unsigned character) {
  return std::any_of(std::begin(kUnseen), std::end(kUnseen), [&](const Range& range) {
    return character >= range.first && character <= range.last;
  });
}

}  // namespace

std::string without_controls(std::string_view text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned byte = byte_at(text, i);
    const std::size_t size = byte >> 5U == 0b110 ? 2 : 3;
    const unsigned character = character_at(text, i, size);
    if (byte < 0x20 || byte == 0x7F) {
      shown += fmt::format("\\x{:02x}", byte);
    } else if (is_unseen(character)) {
      shown += fmt::format("\\u{:04x}", character);
      i += size - 1;
    } else {
      shown += text[i];
    }
  }
  return shown;
}

std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::size_t size = text.size();
  if (size > kLongest) {
    size = kLongest;
    // Not within a character of UTF-8.
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  }
  return fmt::format("\"{}{}\"", without_controls(text.substr(0, size)),
                     size < text.size() ? "..." : "");
}

}  // namespace gradflip
