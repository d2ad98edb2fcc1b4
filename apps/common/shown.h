// Text from outside, fit for a message of one line.
#pragma once

#include <string>
#include <string_view>

namespace gradflip {

// Control characters as \x0d, and what of UTF-8 nobody sees, a byte-order mark say, as \ufeff;
// everything else as it is.
std::string without_controls(std::string_view text);

// `text` in quotes, without control characters and cut if it is long: "0x10", "a\x0d", "abc...".
std::string shown(std::string_view text);

}  // namespace gradflip
