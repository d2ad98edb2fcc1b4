// Named recipes, as data: which of the numbers differ from their defaults.
#pragma once

#include <string>
#include <vector>

#include "models/recipe.h"

namespace gradflip {

std::vector<std::string> preset_names();

// Gives `recipe` the preset's name and numbers, of any method; other numbers stay. Throws
// std::invalid_argument that names the known presets.
void apply_preset(Recipe& recipe, const std::string& name);

// The same over default values.
Recipe preset(const std::string& name);

}  // namespace gradflip
