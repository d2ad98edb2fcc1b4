#include "models/method_list.h"

#include "models/option_field.h"

namespace gradflip {

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const Method& each : methods()) names.push_back(each.name);
  return names;
}

Method method(const std::string& name, const std::string& what) {
  return methods()[index_of_choice(method_names(), what, name)];
}

}  // namespace gradflip
