// The program itself: which of its memory a kernel may read, and which source line a pc is.
#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/simt/race/access.h"

namespace simt::race {

// Where the executable was loaded. Kernels are linked into it, not into shared libraries.
const char* image_base();

inline Pc pc_of(const void* pc) {
  return static_cast<Pc>(static_cast<const char*>(pc) - image_base());
}

// The loaded images: constants and other objects with static storage.
class ProgramMemory {
 public:
  bool has(const void* p);

 private:
  void look();
  std::vector<std::pair<const char*, const char*>> segments_;
};

struct SourceLine {
  std::string file;         // "kernels/relu.cu": the last two parts of the path
  int line = 0;             // 0: unknown, and `file` is an address
  bool in_library = false;  // of the C++ library, not of a kernel
};

// Asks addr2line, once for each pc and many at a time.
class SourceLines {
 public:
  void look_up(std::span<const Pc> pcs);
  const SourceLine& of(Pc pc);

 private:
  std::unordered_map<Pc, SourceLine> known_;
};

}  // namespace simt::race
