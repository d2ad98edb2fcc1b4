#include "tests/simt/race/findings.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace simt::race {
namespace {

bool same_party(const Party& a, const Party& b) {
  return a.pc == b.pc && std::strcmp(a.verb, b.verb) == 0;
}

std::string place(const Party& party, SourceLines& lines) {
  const SourceLine& line = lines.of(party.pc);
  return std::string(party.verb) + " at " + line.file +
         (line.line == 0 ? "" : ":" + std::to_string(line.line));
}

std::string culprit(const Party& party) {
  const auto& [x, y, z] = party.block;
  return " by thread " + std::to_string(party.thread) + " of block (" + std::to_string(x) + "," +
         std::to_string(y) + "," + std::to_string(z) + ")";
}

}  // namespace

bool Findings::is_new(const char* what, const char* memory, const Party& now,
                      const std::optional<Party>& before) const {
  return std::none_of(findings_.begin(), findings_.end(), [&](const Finding& finding) {
    return std::strcmp(finding.what, what) == 0 && std::strcmp(finding.memory, memory) == 0 &&
           same_party(finding.now, now) && finding.before.has_value() == before.has_value() &&
           (!before || same_party(*finding.before, *before));
  });
}

std::string Findings::report(const std::string& kernel, SourceLines& lines) const {
  std::vector<Pc> pcs;
  for (const Finding& finding : findings_) {
    pcs.push_back(finding.now.pc);
    if (finding.before) pcs.push_back(finding.before->pc);
  }
  lines.look_up(pcs);

  std::set<std::string> seen;
  std::string text;
  std::size_t count = 0;
  for (const Finding& finding : findings_) {
    const std::string what = std::string(finding.what) + " on " + finding.memory + ": ";
    const std::string now = place(finding.now, lines);
    const std::string before = finding.before ? place(*finding.before, lines) : "";
    if (!seen.insert(what + now + before).second) continue;
    if (++count > kReported) continue;
    text += "\n  " + what + now + culprit(finding.now);
    if (finding.before) text += ", " + before + culprit(*finding.before);
    if (!finding.detail.empty()) text += "; " + finding.detail;
  }
  if (count == 0) return {};
  if (count > kReported) text += "\n  and " + std::to_string(count - kReported) + " more";
  return "simt: " + std::to_string(count) + (count == 1 ? " finding" : " findings") +
         " in kernel " + kernel + text;
}

}  // namespace simt::race
