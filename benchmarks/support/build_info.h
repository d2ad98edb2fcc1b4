// How this program was built, and what that says about its timings.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace gradflip::bench {

struct BuildInfo {
  std::string compiler;   // "GNU 12.2.0"
  std::string type;       // "Release"
  std::string sanitizer;  // "" or what -fsanitize= was given
  std::string commit;  // short hash, "-dirty" if files differ from it; "unknown" outside a checkout
};

// Of this build; the commit is the one that was configured last.
BuildInfo build_info();

// Why this build's timings would mean nothing (no optimisation, sanitizers); empty if they mean
// something.
std::string unfit_for_timing(const BuildInfo& build);

nlohmann::ordered_json to_json(const BuildInfo& build);

}  // namespace gradflip::bench
