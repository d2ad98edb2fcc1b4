// How well kernels use memory: coalescing in global memory, bank conflicts in shared memory.
//
// A request is one load or store instruction of a warp. In global memory it takes as many
// transactions as it touches 32-byte sectors; in shared memory it takes passes over the 32 banks of
// 4 bytes, where lanes that want different words of a bank wait for each other. An access of 8
// bytes goes in 2 phases of 16 lanes, one of 16 bytes in 4 of 8. `ideal` is what the same bytes
// would take if they lay side by side, or in different banks. A lane's n-th execution of an
// instruction is taken to be in one request with the n-th of the other lanes.
//
// The accesses are those of the host compiler's code. It may keep in a register what the device
// compiler loads again, and the other way round: shapes are those of the GPU, counts are hints.
//
// The report goes to stderr at the end of the program if SIMT_PROFILE=1. Tests use the functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/simt/observer.h"

namespace simt {

struct MemoryShape {
  std::string kernel;
  std::string file;  // the last two parts of its path
  int line = 0;
  bool shared = false;
  bool write = false;
  unsigned bytes = 0;  // of each lane
  std::uint64_t requests = 0;
  std::uint64_t transactions = 0;  // passes in shared memory, sectors in global memory
  std::uint64_t ideal = 0;         // transactions at best

  double per_request() const {
    return static_cast<double>(transactions) / static_cast<double>(requests);
  }
  bool is_ideal() const { return transactions == ideal; }
};

inline std::string text(const MemoryShape& shape) {
  char numbers[160];
  std::snprintf(numbers, sizeof numbers,
                "%-6s %-5s %2u bytes  %8llu requests  %s per request %.2f (ideal %.2f)",
                shape.shared ? "shared" : "global", shape.write ? "store" : "load", shape.bytes,
                static_cast<unsigned long long>(shape.requests),
                shape.shared ? "passes" : "sectors", shape.per_request(),
                static_cast<double>(shape.ideal) / static_cast<double>(shape.requests));
  std::string place = shape.file + ":" + std::to_string(shape.line);
  place.resize(std::max<std::size_t>(place.size(), 32), ' ');
  return place + " " + numbers;
}

// What an observer that counts memory shapes is besides.
class MemoryShapeSource {
 public:
  virtual void record_memory_shapes(bool on) = 0;
  virtual std::vector<MemoryShape> memory_shapes() = 0;

 protected:
  ~MemoryShapeSource() = default;
};

// Whether this program can: only the race flavour sees accesses.
inline bool can_record_memory_shapes() {
  return dynamic_cast<MemoryShapeSource*>(observer()) != nullptr;
}
// On: forgets what was recorded.
inline void record_memory_shapes(bool on) {
  if (auto* source = dynamic_cast<MemoryShapeSource*>(observer())) source->record_memory_shapes(on);
}
// Of all launches since the recording began, by kernel, file and line.
inline std::vector<MemoryShape> memory_shapes() {
  auto* const source = dynamic_cast<MemoryShapeSource*>(observer());
  return source == nullptr ? std::vector<MemoryShape>() : source->memory_shapes();
}

}  // namespace simt
