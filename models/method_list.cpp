#include "models/method_list.h"

#include "models/option_field.h"

namespace gradflip {

Method method(const std::string& name) {
  const std::vector<Method> all = methods();
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const Method& each : all) names.push_back(each.name);
  return all[index_of_choice(names, "method", name)];
}

}  // namespace gradflip
