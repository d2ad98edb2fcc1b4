#include "benchmarks/not_fused.h"

namespace gradflip::bench {

std::string not_fused_text(const std::vector<Unfused>& left) {
  if (left.empty()) return "not fused: nothing\n";
  std::string text = "not fused:\n";
  for (const Unfused& one : left) text += "  " + one.what + ": " + one.why + '\n';
  return text;
}

nlohmann::ordered_json not_fused_json(const std::vector<Unfused>& left) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Unfused& one : left) list.push_back({{"what", one.what}, {"why", one.why}});
  return list;
}

}  // namespace gradflip::bench
