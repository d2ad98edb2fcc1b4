// The options of a program, taken from the program itself, so that a test of all of them covers the
// next one too.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace gradflip {

struct ListedOption {
  std::vector<std::string> commands;  // that lead to it
  std::string name;                   // with its dashes
  std::string type;                   // as --help shows it; empty for a flag
  bool takes_value = false;
  bool in_files = false;  // a configuration file may hold it
};

inline void list_options(const CLI::App& app, const std::vector<std::string>& commands,
                         std::vector<ListedOption>& options) {
  for (const CLI::Option* option : app.get_options()) {
    options.push_back({commands, option->get_name(), option->get_type_name(),
                       option->get_items_expected_min() > 0, option->get_configurable()});
  }
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    std::vector<std::string> path = commands;
    path.push_back(command->get_name());
    list_options(*command, path, options);
  }
}

// Of `app` and its commands; `kind` chooses.
inline std::vector<ListedOption> options_of(const CLI::App& app,
                                            const std::function<bool(const ListedOption&)>& kind) {
  std::vector<ListedOption> options;
  list_options(app, {}, options);
  std::erase_if(options, [&](const ListedOption& option) { return !kind(option); });
  return options;
}

inline bool takes_value(const ListedOption& option) { return option.takes_value; }
inline bool is_whole_number(const ListedOption& option) {
  return option.type == "INT" || option.type == "UINT";
}
inline bool is_real_number(const ListedOption& option) { return option.type == "FLOAT"; }

// What no number may be written as: of any kind, and a whole one besides.
inline const std::vector<std::string> kNoNumbers = {
    "nan",      "-nan",     "NAN(1)", "inf",
    "-inf",     "infinity", "0x10",   "0x1p3",
    "0b11",     "+5",       "--5",    " 5",
    "5 ",       "\t5",      "5\r",    "5x",
    "x5",       "5 6",      "5,5",    "1_000",
    "1'000",    "1e",       "e3",     ".",
    "-",        "5%",       "1/2",    "5\xC2\xA0",
    "\xD9\xA5", "{}",       "[5]",    "99999999999999999999e999"};
inline const std::vector<std::string> kNoWholeNumbers = {"1e3",
                                                         "5.0",
                                                         "5.",
                                                         ".5",
                                                         "9223372036854775808",
                                                         "-9223372036854775809",
                                                         "99999999999999999999999999"};

}  // namespace gradflip
