// One number of a recipe, described once: what it is called, what it may be, and what it is for.
// The command line, configuration files, JSON, --help and presets are made of such fields, so that
// nothing else spells a number:
//
//   std::vector<OptionField> fields(DannOptions& options) {
//     return {real_option({"gamma", kGroup, "steepness of the ramp"}, options.gamma,
//                         RealRange::kAboveZero, UsedAs::kF64),
//             whole_option({"domain-logits", kGroup, "..."}, options.domain_logits, 1, 2)};
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace gradflip {

// A whole number, a real number, or the name of a choice or another text.
using OptionValue = std::variant<std::int64_t, double, std::string>;

// The values of an enumeration, by the names that users write.
template <typename Enum>
using Choices = std::vector<std::pair<Enum, std::string>>;

enum class RealRange {
  kAtLeastZero,
  kAboveZero,
  kBelowOne,  // and at least 0
};

// What a real number is computed with. As an f32 it must stay what it is: not become infinite, 1
// instead of less, or 0 instead of more. A subnormal f32, below 1.2e-38, counts as 0: products in
// bf16 take it so.
enum class UsedAs { kF64, kF32 };

struct WholeOption {
  std::int64_t* value = nullptr;
  std::int64_t low = 0, high = 0;
};

struct RealOption {
  double* value = nullptr;
  RealRange range = RealRange::kAtLeastZero;
  UsedAs used_as = UsedAs::kF32;
};

struct ChoiceOption {
  std::vector<std::string> names;  // of all choices, in the order that help shows
  std::function<std::string()> get;
  std::function<void(std::size_t)> set;  // to the choice of names[index]
};

// Text in a notation of its own.
struct TextOption {
  std::string* value = nullptr;
  std::string notation;  // what --help calls it: "AUGMENTATION"
  // Throws std::invalid_argument, one line without the option's name, if it cannot be read.
  std::function<void(const std::string&)> check;
};

struct OptionText {
  std::string name;   // as the command line spells it, without the dashes: "domain-logits"
  std::string group;  // of --help: "Domain adversary"
  std::string help;
};

// Bound to the number that it describes, which must outlive it.
struct OptionField {
  OptionText text;
  std::variant<WholeOption, RealOption, ChoiceOption, TextOption> kind;
  // Not empty: this option is given instead of another, of this name ("steps" instead of "epochs").
  // It is a whole number, and 0, outside its bounds, says that it is not given.
  std::string instead_of;
  // Not empty: this number counts where another option, a choice, has one of these values, and is
  // ignored elsewhere ("momentum", which only sgd has).
  struct With {
    std::string option;
    std::vector<std::string> values;
  };
  std::vector<With> only_with = {};

  const std::string& name() const { return text.name; }
  // Whether this number counts, as far as it knows: false only where 0 says so.
  bool given() const;

  OptionValue value() const;
  // Takes any number of its kind, whether it is in range or not; a real number takes a whole one.
  // Throws std::invalid_argument, one line, naming the option, for a value of another kind and for
  // a name that is no choice.
  void set(const OptionValue& value) const;

  // Throws std::invalid_argument, one line, naming the option as the command line spells it, if the
  // number is out of range, as it is written or as it is used. NaN is. Or if text cannot be read.
  void require_in_range() const;
};

// low <= value <= high.
OptionField whole_option(OptionText text, std::int64_t& value, std::int64_t low, std::int64_t high);
// The same, or 0: then the option called `instead_of` counts. low > 0.
OptionField alternative_option(OptionText text, std::int64_t& value, std::int64_t low,
                               std::int64_t high, std::string instead_of);
OptionField real_option(OptionText text, double& value, RealRange range, UsedAs used_as);
OptionField text_option(OptionText text, std::string& value, std::string notation,
                        std::function<void(const std::string&)> check);

// One of these names, itself.
OptionField named_option(OptionText text, std::string& value,
                         const std::vector<std::string>& names);

// The same option, which counts only where the choice called `option` has one of `values`.
OptionField only_with(OptionField field, std::string option, std::vector<std::string> values);

// The index of `wanted` in `names`; throws std::invalid_argument that lists them. `option` is what
// the message calls it: "--preset".
std::size_t index_of_choice(const std::vector<std::string>& names, const std::string& option,
                            const std::string& wanted);

template <typename Enum>
std::vector<std::string> names_of(const Choices<Enum>& choices) {
  std::vector<std::string> names;
  for (const auto& [value, name] : choices) names.push_back(name);
  return names;
}

// The name of `value`; throws std::invalid_argument if it has none.
template <typename Enum>
std::string name_in(const Choices<Enum>& choices, Enum value) {
  for (const auto& [known, name] : choices) {
    if (known == value) return name;
  }
  throw std::invalid_argument("options: no name for value " +
                              std::to_string(static_cast<int>(value)));
}

template <typename Enum>
OptionField choice_option(OptionText text, Enum& value, const Choices<Enum>& choices) {
  return {std::move(text),
          ChoiceOption{names_of(choices), [&value, choices] { return name_in(choices, value); },
                       [&value, choices](std::size_t index) { value = choices.at(index).first; }},
          {}};
}

}  // namespace gradflip
