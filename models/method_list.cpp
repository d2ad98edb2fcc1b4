#include "models/method_list.h"

#include <algorithm>

#include "models/option_field.h"

namespace gradflip {

Method method(const std::string& name) {
  const std::vector<Method> all = methods();
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const Method& each : all) names.push_back(each.name);
  return all[index_of_choice(names, "method", name)];
}

std::list<MethodOptions> options_of_methods() {
  std::list<MethodOptions> all;
  for (const Method& each : methods()) {
    for (const MethodOptions& options : each.options) {
      const bool known = std::any_of(all.begin(), all.end(), [&](const MethodOptions& other) {
        return other.options.type() == options.options.type();
      });
      if (!known) all.push_back(options);
    }
  }
  return all;
}

}  // namespace gradflip
