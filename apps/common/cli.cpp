#include "apps/common/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <new>
#include <stdexcept>

#include "apps/common/option_values.h"
#include "apps/common/shown.h"
#include "apps/common/usage_error.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

// A message that some library wrote over several lines would break "one error, one line".
std::string on_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return without_controls(text);
}

int report(const CLI::App& app, const std::string& what, ExitCode code) {
  std::cout.flush();
  std::cerr << app.get_name() << ": error: " << what << std::endl;
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

UsageError usage_error(const CLI::App& app, const CLI::ParseError& error) {
  // A misspelt option is the cause when a required one is missing, so it is named first.
  const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
  if (!unknown.empty()) return UsageError(unknown_argument(app, unknown.front()));
  return UsageError(fmt::format("{}; --help shows the usage", error.what()));
}

int parse_and_run(CLI::App& app, std::vector<std::string> words, const std::function<int()>& body) {
  try {
    parse(app, std::move(words));
  } catch (const CLI::Success& request) {
    app.exit(request);
    return static_cast<int>(ExitCode::kDone);
  } catch (const CLI::ParseError& error) {
    throw usage_error(app, error);
  }
  return body();
}

bool is_out_of_host_memory(const std::exception& error) {
  const auto* refused = dynamic_cast<const std::filesystem::filesystem_error*>(&error);
  if (refused != nullptr) return refused->code() == std::errc::not_enough_memory;
  // A length_error is a container that was to hold more than any machine can address.
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         dynamic_cast<const std::length_error*>(&error) != nullptr;
}

std::string message_of(const std::filesystem::filesystem_error& error) {
  return fmt::format("cannot use {}: {}; check that it is there and that you may read or write it",
                     error.path1().string(), error.code().message());
}

}  // namespace

ExitCode exit_code_of(const std::exception& error) {
  if (dynamic_cast<const UsageError*>(&error) != nullptr) return ExitCode::kUsage;
  if (dynamic_cast<const DataError*>(&error) != nullptr) return ExitCode::kData;
  if (dynamic_cast<const ModelFileError*>(&error) != nullptr) return ExitCode::kModelFile;
  if (dynamic_cast<const DeviceMemoryError*>(&error) != nullptr ||
      dynamic_cast<const MemoryError*>(&error) != nullptr) {
    return ExitCode::kOutOfMemory;
  }
  if (dynamic_cast<const DeviceError*>(&error) != nullptr) return ExitCode::kDevice;
  if (dynamic_cast<const IoError*>(&error) != nullptr) return ExitCode::kIo;
  if (dynamic_cast<const DivergedError*>(&error) != nullptr) return ExitCode::kDiverged;
  if (is_out_of_host_memory(error)) return ExitCode::kOutOfMemory;
  if (dynamic_cast<const std::filesystem::filesystem_error*>(&error) != nullptr) {
    return ExitCode::kIo;
  }
  return ExitCode::kInternal;
}

std::string error_text(const std::exception& error) {
  if (is_out_of_host_memory(error)) {
    return "out of memory; use less data, smaller pictures or a smaller batch";
  }
  if (const auto* refused = dynamic_cast<const std::filesystem::filesystem_error*>(&error)) {
    return on_one_line(message_of(*refused));
  }
  if (exit_code_of(error) == ExitCode::kInternal) {
    return fmt::format("internal error: {}; please report it with the command that you gave",
                       on_one_line(error.what()));
  }
  return on_one_line(error.what());
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

void parse(CLI::App& app, std::vector<std::string> words) {
  require_values(app, words);
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(words));
  } catch (const CLI::FileError& error) {  // the only file that parsing reads
    throw CLI::ValidationError(app.get_config_ptr()->get_name(), error.what());
  }
}

int run_app(CLI::App& app, int argc, const char* const* argv, const std::function<int()>& body) {
  if (app.get_name().empty()) {
    app.name(argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "gradflip");
  }
  app.set_version_flag("--version", app.get_name() + " " GRADFLIP_VERSION);
  try {
    const int code = parse_and_run(app, {argv + std::min(argc, 1), argv + argc}, body);
    std::cout.flush();
    if (!std::cout || std::fflush(stdout) != 0) {
      throw IoError("cannot write to the standard output; check what it is piped to");
    }
    return code;
  } catch (const std::exception& error) {
    return report(app, error_text(error), exit_code_of(error));
  } catch (...) {
    return report(app, "internal error: unknown exception", ExitCode::kInternal);
  }
}

}  // namespace gradflip
