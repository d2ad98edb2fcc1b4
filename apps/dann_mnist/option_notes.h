// What the user should know about the options that were given.
#pragma once

#include <string>
#include <vector>

#include "models/network.h"
#include "models/recipe.h"

namespace gradflip {

// A line for each number that differs from its preset's and that decides nothing: none of the modes
// reads it, the network has no use for it, or another option's choice leaves it out.
std::vector<std::string> unread_option_notes(const Recipe& recipe,
                                             const std::vector<std::string>& modes,
                                             const Network& network);

}  // namespace gradflip
