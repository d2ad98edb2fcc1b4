#include "models/augmentation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <system_error>

#include "models/augmentation_table.h"

namespace gradflip {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument(why); }

constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// `what` is where it stands.
double number_in(std::string_view text, std::string_view what) {
  double value = 0.0;
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, value);
  if (read != end || error != std::errc() || !std::isfinite(value)) {
    refuse(fmt::format("\"{}\" in \"{}\" is no number; write it in decimal, as 0.5", text, what));
  }
  return value;
}

// What stands between the commas that are outside of parentheses.
std::vector<std::string_view> items_of(std::string_view text) {
  std::vector<std::string_view> items;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const char c = at < text.size() ? text[at] : ',';
    if (c == '(' || c == ')') depth += c == '(' ? 1 : -1;
    if (depth < 0 || (depth > 0 && at == text.size())) {
      refuse(fmt::format("\"{}\" opens or closes a parenthesis too many", text));
    }
    if (depth > 1) refuse(fmt::format("\"{}\" has a group in a group", text));
    if (depth > 0 || c != ',') continue;
    items.push_back(trimmed(text.substr(begin, at - begin)));
    begin = at + 1;
    if (items.back().empty()) {
      refuse(fmt::format("\"{}\" has nothing on one side of a comma", text));
    }
  }
  return items;
}

// Takes "@0.5" from the end of an item.
double take_probability(std::string_view& item, std::string_view whole, double otherwise) {
  const auto at = item.find('@', item.rfind(')') == item.npos ? 0 : item.rfind(')'));
  if (at == item.npos) return otherwise;
  const double probability = number_in(trimmed(item.substr(at + 1)), whole);
  if (!(probability >= 0.0 && probability <= 1.0)) {
    refuse(fmt::format("\"{}\": a probability is 0 to 1", whole));
  }
  item = trimmed(item.substr(0, at));
  return probability;
}

void read_range(AugmentationStep& step, const AugmentationName& name, std::string_view range,
                std::string_view whole) {
  const auto dots = range.find("..");
  step.is_interval = dots != range.npos;
  if (step.is_interval) step.low = number_in(trimmed(range.substr(0, dots)), whole);
  step.high = number_in(trimmed(step.is_interval ? range.substr(dots + 2) : range), whole);
  const auto [low, high] = interval_of(step);
  const bool whole_numbers = !name.is_whole || (low == std::floor(low) && high == std::floor(high));
  const bool single_below_zero = !step.is_interval && step.high < 0.0;
  if (!(low >= name.least && low <= high && high <= name.most) || single_below_zero ||
      !whole_numbers) {
    refuse(fmt::format("\"{}\": {} takes {}, or low..high from {} to {}{}", whole, name.name,
                       name.takes, name.least, name.most, name.is_whole ? ", whole numbers" : ""));
  }
}

AugmentationStep operation_in(std::string_view item, bool in_group) {
  const std::string_view whole = item;
  AugmentationStep step;
  constexpr double kNotGiven = -1.0;
  step.probability = take_probability(item, whole, kNotGiven);
  const auto equals = item.find('=');
  const AugmentationName& name = augmentation_called(trimmed(item.substr(0, equals)), whole);
  step.kind = name.kind;
  if (equals != item.npos) {
    if (!name.has_range()) refuse(fmt::format("\"{}\": {} has no range", whole, name.name));
    read_range(step, name, trimmed(item.substr(equals + 1)), whole);
  } else if (name.has_range()) {
    if (!name.has_default) {
      refuse(fmt::format("\"{}\": {} needs a range: {}={}", whole, name.name, name.name,
                         name.example));
    }
    step.high = name.most;
  }
  if (step.probability == kNotGiven) {
    if (!name.has_range() && !in_group) {
      refuse(
          fmt::format("\"{0}\": {1} needs a probability: {1}@0.5 applies it to every second "
                      "picture, {1}@1 to all",
                      whole, name.name));
    }
    step.probability = 1.0;
  }
  return step;
}

// "2 of (a, b, c)@0.5"
AugmentationStep group_in(std::string_view item) {
  const std::string_view whole = item;
  AugmentationStep group;
  group.kind = AugmentKind::kSome;
  group.probability = take_probability(item, whole, 1.0);
  const auto open = item.find('(');
  std::string_view head = trimmed(item.substr(0, open));
  const bool has_of = head.ends_with("of");
  if (has_of) head = trimmed(head.substr(0, head.size() - 2));
  const auto [read, error] = std::from_chars(head.data(), head.data() + head.size(), group.choose);
  if (!has_of || head.empty() || read != head.data() + head.size() || error != std::errc() ||
      item.back() != ')') {
    refuse(fmt::format("\"{}\" is no group; write 2 of (contrast=0.9, invert, rotate=30)", whole));
  }
  for (const std::string_view member : items_of(item.substr(open + 1, item.size() - open - 2))) {
    group.members.push_back(operation_in(member, true));
  }
  const auto members = static_cast<int>(group.members.size());
  if (group.choose < 1 || group.choose > members || members > AugmentProgram::kMaxMembers) {
    refuse(fmt::format("\"{}\" takes {} of {}; 1 to all can be taken, of at most {}", whole,
                       group.choose, members, AugmentProgram::kMaxMembers));
  }
  return group;
}

std::string range_text(const AugmentationStep& step, const AugmentationName& name) {
  if (!name.has_range()) return "";
  return step.is_interval ? fmt::format("={}..{}", step.low, step.high)
                          : fmt::format("={}", step.high);
}

AugmentOperation operation_of(const AugmentationStep& step) {
  AugmentOperation operation;
  operation.kind = step.kind;
  operation.probability = static_cast<std::int32_t>(std::lround(step.probability * kAlwaysAugment));
  if (step.kind == AugmentKind::kSome) {
    operation.choose = static_cast<std::uint8_t>(step.choose);
    operation.members = static_cast<std::uint8_t>(step.members.size());
    return operation;
  }
  const AugmentationName& name = name_of(step.kind);
  const auto [low, high] = interval_of(step);
  operation.low = static_cast<std::int32_t>(std::lround(low * name.unit));
  operation.high = static_cast<std::int32_t>(std::lround(high * name.unit));
  return operation;
}

void append(AugmentProgram& program, const AugmentationStep& step) {
  if (program.size == AugmentProgram::kMaxSize) {
    refuse(fmt::format("an augmentation has at most {} operations, groups counted",
                       AugmentProgram::kMaxSize));
  }
  program.operations[static_cast<std::size_t>(program.size++)] = operation_of(step);
  for (const AugmentationStep& member : step.members) append(program, member);
}

}  // namespace

const std::vector<std::pair<std::string, std::string>>& augmentation_sets() {
  static const std::vector<std::pair<std::string, std::string>> kSets = {
      {"none", ""},
      {"weak", "shift=3"},
      {"strong",
       "shift=3, 2 of (contrast=0.9, brightness=0.9, channels=0.5, invert, solarize, posterize=4, "
       "blur=1, rotate=30, shear=0.3, translate=0.3, scale=0.75..1), cutout=14"}};
  return kSets;
}

Augmentation parse_augmentation(std::string_view text) {
  Augmentation augmentation;
  if (trimmed(text).empty()) refuse("it is empty; write none, or operations as shift=3, cutout=14");
  for (const std::string_view item : items_of(text)) {
    const auto& sets = augmentation_sets();
    const auto set = std::find_if(sets.begin(), sets.end(),
                                  [&](const auto& each) { return each.first == item; });
    if (set != sets.end()) {
      if (set->second.empty()) continue;
      const Augmentation named = parse_augmentation(set->second);
      augmentation.steps.insert(augmentation.steps.end(), named.steps.begin(), named.steps.end());
    } else if (item.find('(') != item.npos) {
      augmentation.steps.push_back(group_in(item));
    } else {
      augmentation.steps.push_back(operation_in(item, false));
    }
  }
  augment_program(augmentation);  // throws where it is too long
  return augmentation;
}

std::string text_of(const AugmentationStep& step) {
  std::string text;
  if (step.kind == AugmentKind::kSome) {
    std::vector<std::string> members;
    for (const AugmentationStep& member : step.members) members.push_back(text_of(member));
    text = fmt::format("{} of ({})", step.choose, fmt::join(members, ", "));
    return step.probability == 1.0 ? text : fmt::format("{}@{}", text, step.probability);
  }
  const AugmentationName& name = name_of(step.kind);
  text = fmt::format("{}{}", name.name, range_text(step, name));
  return step.probability == 1.0 ? text : fmt::format("{}@{}", text, step.probability);
}

std::string text_of(const Augmentation& augmentation) {
  if (augmentation.steps.empty()) return "none";
  std::vector<std::string> steps;
  for (const AugmentationStep& step : augmentation.steps) {
    steps.push_back(text_of(step));
    // Outside of a group this must say that it applies always.
    const bool bare = step.kind != AugmentKind::kSome && !name_of(step.kind).has_range();
    if (bare && step.probability == 1.0) steps.back() += "@1";
  }
  return fmt::format("{}", fmt::join(steps, ", "));
}

AugmentProgram augment_program(const Augmentation& augmentation) {
  AugmentProgram program;
  for (const AugmentationStep& step : augmentation.steps) append(program, step);
  require_valid(program);
  return program;
}

}  // namespace gradflip
