#include "apps/common/option_values.h"

#include <fmt/format.h>

#include <set>

#include "apps/common/shown.h"

namespace gradflip {
namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& why) {
  throw CLI::ValidationError(option, why);
}

void require_not_blank(const std::string& option, std::string_view value) {
  if (!is_blank(value)) return;
  refuse(option, "the value is empty (an unset variable?); give one or leave the option out");
}

const CLI::Option* option_called(const CLI::App* command, const std::string& name) {
  for (; command != nullptr; command = command->get_parent()) {
    if (const CLI::Option* option = command->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

const CLI::App* subcommand_called(const CLI::App& command, const std::string& name) {
  for (const CLI::App* subcommand : command.get_subcommands(nullptr)) {
    if (subcommand->get_name() == name) return subcommand;
  }
  return nullptr;
}

// The value of `option` as a word of its own; `position` is where it would stand.
void require_value_at(const std::vector<std::string>& words, std::size_t position,
                      const CLI::App* command, const std::string& option) {
  if (position == words.size()) refuse(option, "a value is missing");
  const std::string& value = words[position];
  require_not_blank(option, value);
  // Not everything with a dash: -1 is a number, out of range or not.
  if (value.starts_with("--") || (value[0] == '-' && option_called(command, value) != nullptr)) {
    refuse(option, fmt::format("a value is missing before {0}; if {0} is meant to be the value, "
                               "write {1}={0}",
                               value, option));
  }
}

[[noreturn]] void refuse_blank_word(const std::vector<std::string>& words, std::size_t position) {
  const std::string place =
      position == 0 ? "the first argument is empty"
                    : fmt::format("the argument behind {} is empty", shown(words[position - 1]));
  throw CLI::ParseError(place + " (an unset variable?); leave it out", CLI::ExitCodes::ExtrasError);
}

}  // namespace

void require_flag_value(const std::string& option, const std::string& value) {
  if (value == "true" || value == "false") return;
  refuse(option, shown(value) + " is neither true nor false");
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\v\f") == text.npos; }

void require_values(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = &app;
  std::set<const CLI::Option*> given;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (is_blank(word)) refuse_blank_word(words, i);
    if (word[0] != '-') {
      const CLI::App* subcommand = subcommand_called(*command, word);
      if (subcommand != nullptr) command = subcommand;
      continue;
    }
    const auto equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const CLI::Option* option = option_called(command, name);
    if (option == nullptr) return;  // CLI11 refuses the line for it, and misspelt words come first
    const bool takes_value = option->get_items_expected_min() > 0;
    if (takes_value && !given.insert(option).second) {
      refuse(name, "it is given twice; leave one of the two out");
    }
    if (equals != std::string::npos) {
      const std::string value = word.substr(equals + 1);
      require_not_blank(name, value);
      if (!takes_value) require_flag_value(name, value);
    } else if (takes_value) {
      require_value_at(words, ++i, command, name);
    }
  }
}

}  // namespace gradflip
