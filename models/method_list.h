// The methods of models/methods, by name. The list is made from the one in models/CMakeLists.txt.
#pragma once

#include <string>
#include <vector>

#include "models/method.h"

namespace gradflip {

// In the order that --help shows.
std::vector<Method> methods();
std::vector<std::string> method_names();

// The one called `name`. Throws std::invalid_argument that lists them all, and begins with `what`
// was to be one.
Method method(const std::string& name, const std::string& what = "method");

}  // namespace gradflip
