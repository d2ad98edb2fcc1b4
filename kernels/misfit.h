// What a limit says of something that it may not admit.
#pragma once

#include <optional>
#include <string>

namespace gradflip {

// Why it does not fit, in words and numbers; nothing: it fits.
using Misfit = std::optional<std::string>;

}  // namespace gradflip
