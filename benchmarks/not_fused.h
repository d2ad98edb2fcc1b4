// What a graph leaves unfused (runtime/unfused.h), as text and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/unfused.h"

namespace gradflip::bench {

// "not fused:" and a line each, or "not fused: nothing".
std::string not_fused_text(const std::vector<Unfused>& left);
nlohmann::ordered_json not_fused_json(const std::vector<Unfused>& left);

}  // namespace gradflip::bench
