// What every program of the project does around its work: parse, run, and turn any failure into one
// line on stderr and a documented exit code (docs/exit-codes.md).
//
//   int main(int argc, char** argv) {
//     CLI::App app("what it does");
//     Options options;
//     app.add_option("--photos", options.photos, "folder of photographs")->required();
//     return run_app(app, argc, argv, [&] { return run(options); });
//   }
#pragma once

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <string>
#include <vector>

namespace gradflip {

enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,
  kUsage = 2,
  kData = 3,
  kModelFile = 4,
  kDevice = 5,
  kIo = 6,
  kDiverged = 7,
  kRunInUse = 8,
  kOutOfMemory = 9,
};

// Parses the command line, adds --version, and returns what `body` returns. `body` is not called
// for --help, --version (their text goes to stdout, exit code 0) and usage errors (2). An exception
// that leaves `body` becomes "<program>: error: <error_text>" on stderr and exit_code_of() it.
// Output to stdout that could not be written is an I/O error even if `body` returned 0.
int run_app(CLI::App& app, int argc, const char* const* argv, const std::function<int()>& body);

// Parses `words`, what follows the program's name, as CLI11 does, but lets no option go without its
// value (option_values.h). Throws CLI::ParseError.
void parse(CLI::App& app, std::vector<std::string> words);

// The exit code that stands for `error`: the types of runtime/errors.h, UsageError, std::bad_alloc
// and DeviceMemoryError (out of memory), std::filesystem::filesystem_error (I/O, or out of memory).
// Any other is internal, std::invalid_argument too: it is a contract that this program broke.
ExitCode exit_code_of(const std::exception& error);

// `error` for the user, on one line: what(), or more words where that alone would not help.
std::string error_text(const std::exception& error);

// The candidate nearest to `word`, or "" if none is near enough to be a misspelling of it: at most
// one edit in three characters, where an edit inserts, deletes, replaces or swaps neighbours; a
// word of three characters that the candidate begins with is one edit away. Of equally near ones
// the first.
std::string nearest_name(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace gradflip
