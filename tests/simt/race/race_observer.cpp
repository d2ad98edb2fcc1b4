// The race flavour: what makes the checker the emulator's observer.
#include <cstdlib>

#include "tests/simt/race/checker.h"

namespace simt {
namespace race {

// Never destroyed: buffers with static storage are freed after it would be.
Checker& checker() {
  static Checker* const instance = [] {
    std::atexit([] { checker().print_memory_shapes_if_asked(); });
    return new Checker;
  }();
  return *instance;
}

}  // namespace race

Observer* observer() { return &race::checker(); }

}  // namespace simt
