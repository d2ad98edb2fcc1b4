// Kernels with one bug each, and kernels that only look as if they had one: what the emulator must
// find in each flavour and every order, and what it must accept.
#pragma once

#include <span>

namespace planted {

enum Outcome : unsigned {
  kRight = 1,      // the result equals the reference
  kWrong = 2,      // it does not: a test would fail
  kError = 4,      // the emulator or the runtime reported an error
  kSanitizer = 8,  // AddressSanitizer or UndefinedBehaviorSanitizer stopped the process
  kCrash = 16,     // a signal did
};

struct Case {
  const char* name;
  // The outcomes allowed in each flavour, whatever the order. Several where the order decides.
  unsigned plain, asan, race;
  const char* says;  // part of what the race flavour writes, if it writes something
  bool (*is_right)();

  bool sound() const { return (plain | asan | race) == kRight; }
};

struct Theme {
  const char* name;
  std::span<const Case> cases;
};

Theme barriers();
Theme shared_memory();
Theme warps();
Theme async_copies();
Theme tensor_cores();
Theme global_memory();
Theme pointers();
Theme between_blocks();
Theme launches();
Theme sound_within_blocks();
Theme sound_between_blocks();
std::span<const Theme> themes();

}  // namespace planted
