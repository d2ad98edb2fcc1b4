// The results of an experiment as one JSON document.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/common/report/run_result.h"

namespace gradflip {

using Json = nlohmann::ordered_json;

// What surrounds the runs: how they were made and from what.
struct ReportContext {
  std::string version, device, device_reason, precision, preset;
  int threads = 1;
  Json config;    // the effective options, by name
  Json data;      // {"source": {...}, "target": {...}}
  WallTime wall;  // of the whole program
};

// {"version", "device", ..., "config", "data", "wall", "runs": [...], "summary": {...}}: accuracies
// are fractions, times seconds, and a number that does not apply (or is not finite) is null.
Json report(const ReportContext& context, const std::vector<RunResult>& runs);

}  // namespace gradflip
