#include "apps/common/shown.h"

#include <fmt/format.h>

namespace gradflip {

std::string without_controls(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
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
