// Options in a file: one `key = value` per line, keys spelled as on the command line without the
// dashes. Values are bare words or numbers, "strings" with \" and \\, or 'strings' taken as they
// are; # starts a comment outside of quotes. That is a subset of TOML, in UTF-8 with or without a
// byte-order mark; lines end with LF, CR LF or CR.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace gradflip {

// Options of which a run needs one or the other, such as --steps and --epochs.
using Alternatives = std::vector<std::string>;

// An option that stands for others: given on the command line, it replaces them in the file.
struct Replacement {
  std::string given;
  std::vector<std::string> in_file;
};

// Adds --config FILE. The command line is stronger: an option given there replaces the file's, and
// so does any of its alternatives and what stands for it. A line that is no `key = value`, a key
// that is no option and a value that is empty are usage errors.
void add_config_option(CLI::App& app, std::vector<Alternatives> alternatives,
                       std::vector<Replacement> replacements);

// The text that --config reads back as `config`, an object of numbers, strings and booleans. Null
// values are left out. Throws UsageError for a string with a line break, which a line cannot hold.
std::string config_text(const nlohmann::ordered_json& config);

}  // namespace gradflip
