// Results as a text table and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "benchmarks/support/machine.h"
#include "benchmarks/support/suite.h"

namespace gradflip::bench {

struct Row {
  std::string op, shape, library;
  std::int64_t batch = 0;
  Math math = Math::kF32;
  std::string backend;  // "cpu" or "cuda"
  Work work;
  double median_seconds = 0.0, min_seconds = 0.0;  // of one call
  int samples = 0;
  Bound bound;
  std::string error;  // not empty: nothing was timed, and why
};

std::string table_header();
// One line, in the columns of the header.
std::string table_line(const Row& row);

nlohmann::ordered_json to_json(const Row& row);

}  // namespace gradflip::bench
