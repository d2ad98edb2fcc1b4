// The methods of models/methods, by name. The list is made from the one in models/CMakeLists.txt.
#pragma once

#include <string>
#include <vector>

#include "models/method.h"

namespace gradflip {

// In the order that --help shows.
std::vector<Method> methods();

// The one called `name`. Throws std::invalid_argument that lists them all.
Method method(const std::string& name);

}  // namespace gradflip
