#include "apps/dann_mnist/option_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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

// What is wrong with giving the option, or nothing: by other options of the recipe.
std::string left_out_by(Recipe& recipe, const OptionField& field) {
  for (const OptionField::With& with : field.only_with) {
    const OptionValue chosen = recipe.field(with.option).value();
    const auto& name = std::get<std::string>(chosen);
    if (std::find(with.values.begin(), with.values.end(), name) == with.values.end()) {
      return fmt::format("it counts only with --{} {}, and this run has {}", with.option,
                         fmt::join(with.values, " or "), name);
    }
  }
  return {};
}

constexpr std::array kOfBatchNorm{"batch-norm", "batch-norm-scale", "evaluation-statistics"};

}  // namespace

std::vector<std::string> unread_option_notes(const Recipe& recipe,
                                             const std::vector<std::string>& modes,
                                             const Network& network) {
  Recipe own = recipe;  // fields may write
  Recipe usual = preset(recipe.training.preset);
  std::vector<std::string> notes;
  const auto note = [&](const OptionField& field, const std::string& text) {
    notes.push_back(fmt::format("--{}: {}", field.name(), text));
  };
  const auto differs = [&](const OptionField& field) {
    return field.value() != usual.field(field.name()).value();
  };

  for (const OptionField& field : fields(own.training)) {
    if (!differs(field)) continue;
    const bool of_batch_norm =
        std::find(kOfBatchNorm.begin(), kOfBatchNorm.end(), field.name()) != kOfBatchNorm.end();
    if (of_batch_norm && !normalises_by_batches(network)) {
      note(field, fmt::format("{} has no batch normalisation", network.name));
    } else if (const std::string reason = left_out_by(own, field); !reason.empty()) {
      note(field, reason);
    }
  }
  for (MethodOptions options : recipe.methods()) {
    const bool is_read = std::any_of(modes.begin(), modes.end(), [&](const std::string& mode) {
      return has_type_of(method_of(mode).options, options);
    });
    for (const OptionField& field : options.fields(options.options)) {
      if (!differs(field)) continue;
      if (!is_read) {
        note(field, fmt::format("no mode of this run reads it; {} would",
                                fmt::join(readers_of(options), ", ")));
      } else if (const std::string reason = left_out_by(own, field); !reason.empty()) {
        note(field, reason);
      }
    }
  }
  return notes;
}

}  // namespace gradflip
