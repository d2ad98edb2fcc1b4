// What the user should know about the options that were given.
#pragma once

#include <string>
#include <vector>

#include "models/recipe.h"

namespace gradflip {

// A line for each number that differs from its preset's and that none of the modes reads.
std::vector<std::string> unread_option_notes(const Recipe& recipe,
                                             const std::vector<std::string>& modes);

}  // namespace gradflip
