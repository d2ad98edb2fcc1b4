#include "apps/common/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <new>
#include <stdexcept>

#include "runtime/errors.h"

namespace gradflip {
namespace {

// A message that some library wrote over several lines would break "one error, one line".
std::string on_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

int report(const CLI::App& app, const std::string& what, ExitCode code) {
  std::cout.flush();
  std::cerr << app.get_name() << ": error: " << on_one_line(what) << std::endl;
  return static_cast<int>(code);
}

// Restricted edit distance (optimal string alignment).
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

// The innermost command that was given: it is the one whose names the user meant to write.
const CLI::App& innermost_command(const CLI::App& app) {
  const auto given = app.get_subcommands();
  return given.empty() ? app : innermost_command(*given.front());
}

std::string unknown_argument(const CLI::App& app, const std::string& argument) {
  const CLI::App& command = innermost_command(app);
  const bool is_option = argument.size() > 1 && argument[0] == '-';
  std::vector<std::string> known;
  if (is_option) {
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  } else {
    for (const CLI::App* sub : command.get_subcommands(nullptr)) known.push_back(sub->get_name());
  }
  const char* kind = is_option ? "option" : known.empty() ? "argument" : "command";
  const std::string word = argument.substr(0, is_option ? argument.find('=') : std::string::npos);
  const std::string nearest = nearest_name(word, known);
  return nearest.empty() ? fmt::format("unknown {} {}; --help lists what there is", kind, word)
                         : fmt::format("unknown {} {}; did you mean {}?", kind, word, nearest);
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  // A misspelt option is the cause when a required one is missing, so it is named first.
  const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
  if (!unknown.empty())
    return report(app, unknown_argument(app, unknown.front()), ExitCode::kUsage);
  return report(app, fmt::format("{}; --help shows the usage", error.what()), ExitCode::kUsage);
}

int run_body(const CLI::App& app, const std::function<int()>& body) {
  try {
    const int code = body();
    std::cout.flush();
    if (!std::cout || std::fflush(stdout) != 0) {
      throw IoError("cannot write to the standard output; check what it is piped to");
    }
    return code;
  } catch (const std::bad_alloc&) {
    return report(app, "out of memory; use less data or a smaller batch", ExitCode::kInternal);
  } catch (const std::exception& error) {
    return report(app, error.what(), exit_code_of(error));
  } catch (...) {
    return report(app, "unknown exception", ExitCode::kInternal);
  }
}

}  // namespace

ExitCode exit_code_of(const std::exception& error) {
  if (dynamic_cast<const DataError*>(&error) != nullptr) return ExitCode::kData;
  if (dynamic_cast<const ModelFileError*>(&error) != nullptr) return ExitCode::kModelFile;
  if (dynamic_cast<const DeviceError*>(&error) != nullptr) return ExitCode::kDevice;
  if (dynamic_cast<const IoError*>(&error) != nullptr) return ExitCode::kIo;
  if (dynamic_cast<const DivergedError*>(&error) != nullptr) return ExitCode::kDiverged;
  if (dynamic_cast<const std::invalid_argument*>(&error) != nullptr) return ExitCode::kUsage;
  if (dynamic_cast<const std::filesystem::filesystem_error*>(&error) != nullptr) {
    return ExitCode::kIo;
  }
  return ExitCode::kInternal;
}

std::string nearest_name(const std::string& word, const std::vector<std::string>& candidates) {
  std::string nearest;
  std::size_t allowed = word.size() / 3;
  for (const std::string& candidate : candidates) {
    std::size_t distance = edit_distance(word, candidate);
    if (word.size() > 2 && candidate.starts_with(word))
      distance = std::min<std::size_t>(distance, 1);
    if (distance < allowed || (distance == allowed && nearest.empty())) {
      nearest = candidate;
      allowed = distance;
    }
  }
  return nearest;
}

int run_app(CLI::App& app, int argc, const char* const* argv, const std::function<int()>& body) {
  if (app.get_name().empty()) {
    app.name(argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "gradflip");
  }
  app.set_version_flag("--version", app.get_name() + " " GRADFLIP_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {
    app.exit(request);
    return static_cast<int>(ExitCode::kDone);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  return run_body(app, body);
}

}  // namespace gradflip
