// Options in a file: one `key = value` per line, keys spelled as on the command line without the
// dashes. Values are bare words or numbers, "strings" with \" and \\, or 'strings' taken as they
// are; # starts a comment outside of quotes. That is a subset of TOML.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace gradflip {

// Options of which a run needs one or the other, such as --steps and --epochs.
using Alternatives = std::vector<std::string>;

// Adds --config FILE. The command line is stronger: an option given there replaces the file's, and
// so does any of its alternatives. A line that is no `key = value` and a key that is no option are
// usage errors.
void add_config_option(CLI::App& app, std::vector<Alternatives> alternatives);

// The text that --config reads back as `config`, an object of numbers, strings and booleans. Null
// values are left out.
std::string config_text(const nlohmann::ordered_json& config);

}  // namespace gradflip
