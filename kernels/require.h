// Argument checks at the top of public functions: a caller's mistake throws std::invalid_argument.
#pragma once

#include <stdexcept>
#include <string>

namespace gradflip {

// Joins its arguments into one message: message("x has ", 3, " channels").
template <typename... Parts>
std::string message(const Parts&... parts) {
  std::string text;
  const auto append = [&text](const auto& part) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(part)>>) {
      text += std::to_string(part);
    } else {
      text += part;
    }
  };
  (append(parts), ...);
  return text;
}

}  // namespace gradflip

// GRADFLIP_REQUIRE(channels == 3, message("conv2d: x has ", channels, " channels, filter expects
// 3"));
#define GRADFLIP_REQUIRE(condition, text)                  \
  do {                                                     \
    if (!(condition)) throw std::invalid_argument((text)); \
  } while (0)
