#include "apps/dann_mnist/option_notes.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/dann_mnist/modes.h"
#include "models/method_list.h"
#include "models/presets.h"

namespace gradflip {
namespace {

std::vector<std::string> readers_of(const MethodOptions& options) {
  std::vector<std::string> names;
  for (const Method& each : methods()) {
    if (has_type_of(each.options, options)) names.push_back(each.name);
  }
  return names;
}

}  // namespace

std::vector<std::string> unread_option_notes(const Recipe& recipe,
                                             const std::vector<std::string>& modes) {
  std::vector<std::string> notes;
  Recipe usual = preset(recipe.training.preset);
  for (MethodOptions options : recipe.methods()) {  // copies: fields may write
    const bool is_read = std::any_of(modes.begin(), modes.end(), [&](const std::string& mode) {
      return has_type_of(method_of(mode).options, options);
    });
    if (is_read) continue;
    for (const OptionField& field : options.fields(options.options)) {
      if (field.value() == usual.field(field.name()).value()) continue;
      notes.push_back(fmt::format("--{}: no mode of this run reads it; {} would", field.name(),
                                  fmt::join(readers_of(options), ", ")));
    }
  }
  return notes;
}

}  // namespace gradflip
