// The results of an experiment as one JSON document.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/report/run_result.h"

namespace gradflip {

using Json = nlohmann::ordered_json;

// What surrounds the runs: how they were made and from what. What is not known yet, because the
// program ended before it was, is empty or null.
struct ReportContext {
  std::string version, precision, preset;
  std::optional<std::string> device, device_reason;
  int threads = 1;
  Json config;                     // the effective options, by name
  Json data;                       // {"source": {...}, "target": {...}}
  std::vector<std::string> notes;  // what the user should know about data and runs
  WallTime wall;                   // of the whole program
  Plan plan;
  int exit_code = 0;
  std::optional<RunError> error;  // what ended the program outside of its runs
};

// The document of docs/json.md: accuracies are fractions, times seconds; a number that is not there
// (yet), or is not finite, is null; what a failed run or a target without labels cannot have is
// left out. What the method of any run reports is in all of them, under its name; a name that the
// document has a use for itself is the document's.
Json report(const ReportContext& context, const std::vector<RunResult>& runs);

// As text, with a line break at its end. Bytes that are not UTF-8, such as those of a folder's
// name, become U+FFFD.
std::string text_of(const Json& document);

}  // namespace gradflip
