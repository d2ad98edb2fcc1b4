#include "runtime/parameter_group.h"

#include <algorithm>
#include <set>

#include "kernels/require.h"

namespace gradflip {
namespace {

bool belongs_to_part(std::string_view name, std::string_view part) {
  return name.starts_with(part) && (name.size() == part.size() || name[part.size()] == '.');
}

// The first words of the names: "feature_extractor, label_predictor".
std::string parts_of(const std::vector<Parameter>& list) {
  std::set<std::string> parts;
  for (const Parameter& parameter : list) {
    parts.insert(parameter.name.substr(0, parameter.name.find('.')));
  }
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text.empty() ? "none at all" : text;
}

UpdateKind kind_of(const Parameter& parameter, const ParameterGroup& group,
                   const std::vector<std::string>& without_decay) {
  if (!parameter.trained || !belongs_to(parameter.name, group)) return UpdateKind::kNone;
  const bool excluded =
      std::any_of(without_decay.begin(), without_decay.end(),
                  [&](const std::string& part) { return has_part(parameter.name, part); });
  return excluded ? UpdateKind::kWithoutDecay : UpdateKind::kWithDecay;
}

}  // namespace

bool belongs_to(std::string_view name, const ParameterGroup& group) {
  return group.empty() || std::any_of(group.begin(), group.end(), [&](const std::string& part) {
           return belongs_to_part(name, part);
         });
}

bool has_part(std::string_view name, std::string_view part) {
  for (std::size_t begin = 0; begin < name.size(); ++begin) {
    if (belongs_to_part(name.substr(begin), part)) return true;
    begin = std::min(name.find('.', begin), name.size());
  }
  return false;
}

std::vector<UpdateKind> update_kinds(const Parameters& parameters, const ParameterGroup& group,
                                     const std::vector<std::string>& without_decay) {
  const std::vector<Parameter>& list = parameters.list();
  for (const std::string& part : group) {
    GRADFLIP_REQUIRE(
        std::any_of(
            list.begin(), list.end(),
            [&](const Parameter& parameter) { return belongs_to_part(parameter.name, part); }),
        message("parameters: none belongs to the part ", part, "; there are ", parts_of(list)));
  }
  std::vector<UpdateKind> kinds(static_cast<std::size_t>(update_runs(parameters.flat_size())));
  for (const Parameter& parameter : list) {
    std::fill_n(kinds.begin() + parameter.offset / kUpdateRun, update_runs(parameter.shape.size()),
                kind_of(parameter, group, without_decay));
  }
  GRADFLIP_REQUIRE(std::any_of(kinds.begin(), kinds.end(),
                               [](UpdateKind kind) { return kind != UpdateKind::kNone; }),
                   "parameters: the group to update has none that is trained");
  if (std::all_of(kinds.begin(), kinds.end(),
                  [](UpdateKind kind) { return kind == UpdateKind::kWithDecay; })) {
    return {};
  }
  return kinds;
}

}  // namespace gradflip
