// What the checker has found in a launch, each kind of finding once per pair of source lines.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tests/simt/race/program.h"

namespace simt::race {

// One side of a finding: "write at gemm.cu:24 by thread 37".
struct Party {
  const char* verb;
  Pc pc;
  unsigned thread;
  std::array<unsigned, 3> block;
};

struct Finding {
  const char* what;    // "race"
  const char* memory;  // "shared memory"
  std::string detail;  // "byte 12 of 512", or nothing
  Party now;
  std::optional<Party> before;
};

class Findings {
 public:
  void clear() { findings_.clear(); }
  // The detail is made only if the finding is a new one.
  template <typename Detail>
  void add(const char* what, const char* memory, const Party& now,
           const std::optional<Party>& before, Detail&& detail) {
    if (findings_.size() < kKept && is_new(what, memory, now, before)) {
      findings_.push_back({what, memory, detail(), now, before});
    }
  }
  // A report that names the source lines, or nothing if nothing was found.
  std::string report(const std::string& kernel, SourceLines& lines) const;

 private:
  static constexpr std::size_t kKept = 200;  // several addresses share a line
  static constexpr std::size_t kReported = 20;

  bool is_new(const char* what, const char* memory, const Party& now,
              const std::optional<Party>& before) const;

  std::vector<Finding> findings_;
};

}  // namespace simt::race
