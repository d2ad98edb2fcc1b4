#include "models/recipe.h"

#include <algorithm>
#include <set>

#include "kernels/require.h"
#include "models/method_list.h"

namespace gradflip {

Recipe::Recipe() {
  for (const Method& each : gradflip::methods()) {
    for (const MethodOptions& options : each.options) add(options);
  }
}

void Recipe::add(const MethodOptions& options) {
  if (!has_type_of(methods_, options)) methods_.push_back(options);
}

std::vector<OptionField> Recipe::fields() {
  std::vector<OptionField> all = gradflip::fields(training);
  for (MethodOptions& method : methods_) {
    std::vector<OptionField> more = method.fields(method.options);
    std::move(more.begin(), more.end(), std::back_inserter(all));
  }
  std::set<std::string> names;
  for (const OptionField& field : all) {
    GRADFLIP_REQUIRE(names.insert(field.name()).second,
                     message("recipe: two options are called --", field.name()));
  }
  return all;
}

OptionField Recipe::field(const std::string& name) {
  std::vector<OptionField> all = fields();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const OptionField& field) { return field.name() == name; });
  GRADFLIP_REQUIRE(found != all.end(), message("recipe: there is no option called --", name));
  return *found;
}

void require_valid(const Recipe& recipe) {
  Recipe copy = recipe;  // fields may write, so that they want one of their own
  for (const OptionField& field : copy.fields()) field.require_in_range();
  require_schedules(recipe, recipe.training.steps > 0 ? recipe.training.steps : 1);
}

void require_schedules(const Recipe& recipe, std::int64_t total_steps) {
  require_together(recipe.training, total_steps);
  for (const MethodOptions& method : recipe.methods()) {
    method.require_together(method.options, recipe.training, total_steps);
  }
}

}  // namespace gradflip
