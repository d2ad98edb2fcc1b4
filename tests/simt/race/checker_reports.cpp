// How the checker words what it found.
#include "tests/simt/race/checker.h"

namespace simt::race {

const char* Checker::verb_of(bool write, bool atomic) {
  if (atomic) return "atomic";
  return write ? "write" : "read";
}

Party Checker::party(const char* verb, const Access& access) const {
  Party party{verb, access.pc(), access.thread(), {}};
  const std::size_t block = ordering_.block_of(access.interval());
  if (block < blocks_.size()) party.block = blocks_[block];
  return party;
}

std::string Checker::place(Shadow& region, const char* p) const {
  std::pair<const char*, std::size_t> owner{nullptr, 0};
  if (&region == &device_) {
    owner = heap_.buffer_before(p);
  } else {
    for (const auto& [begin, bytes] : variables_) {
      if (begin <= p && (owner.first == nullptr || begin > owner.first)) owner = {begin, bytes};
    }
  }
  if (owner.first == nullptr) return {};
  const auto offset = static_cast<std::size_t>(p - owner.first);
  return "byte " + std::to_string(offset) + " of a " +
         (&region == &device_ ? "buffer" : "variable") + " of " + std::to_string(owner.second) +
         " bytes";
}

void Checker::report(Shadow& region, const char* what, const Range& range,
                     const std::optional<Party>& before) {
  findings_.add(what, &region == &shared_ ? "shared memory" : "global memory",
                party(verb_of(range.writes(), range.access.atomic()), range.access), before,
                [&] { return place(region, range.begin); });
}

}  // namespace simt::race
