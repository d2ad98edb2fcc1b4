// What CLI11 lets through, or refuses in words of its own: an option without a value, with an empty
// one, or with two.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace gradflip {

// Whether `text` is no value: empty, or nothing but blanks.
bool is_blank(std::string_view text);

// Throws CLI::ValidationError, naming the option, unless `value` is true or false: what a flag may
// be set to. CLI11 takes any number, too, and counts with it.
void require_flag_value(const std::string& option, const std::string& value);

// Throws CLI::ParseError, naming the option, if in `words`, the command line of `app` behind
// the program's name,
//   an option has an empty value        --save "", --save=, --json=
//   an option has none                  --save --json, where CLI11 would name a file --json
//   a flag is set to neither of two     --json=5
//   an empty word stands anywhere else  --json ""
//   an option with a value comes twice  --seed 1 --seed 2
// Options take one value or none. A value that begins with two dashes is written --save=--json.
void require_values(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace gradflip
