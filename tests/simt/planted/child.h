// Runs a case in a process of its own, since sanitizers and signals end it.
#pragma once

#include <string>

#include "tests/simt/config.h"
#include "tests/simt/planted/planted.h"

namespace planted {

struct Schedule {
  const char* name;
  simt::Order order;
  std::uint64_t seed;
};
inline constexpr Schedule kSchedules[] = {
    {"ascending", simt::Order::kAscending, 1},
    {"descending", simt::Order::kDescending, 1},
    {"random 1", simt::Order::kRandom, 1},
    {"random 2", simt::Order::kRandom, 2},
};

struct Result {
  Outcome outcome;
  std::string output;  // of the process: stdout and stderr
};

Result run_in_child(const Case& planted_case, const Schedule& schedule);

const char* name_of(Outcome outcome);

}  // namespace planted
