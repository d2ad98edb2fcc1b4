// How a number that a method reports is shown in a line, whatever its name.
#pragma once

#include <string>

#include "models/step_report.h"

namespace gradflip {

// "domain 0.688", "domain acc 0.53", "lr 7.1e-03": the name in words, of which a loss need not say
// that it is one, and as many digits as such a number is worth.
std::string short_text(const Reported& reported);
// With a digit more.
std::string full_text(const Reported& reported);

}  // namespace gradflip
