// A stack to run on, and the switch between two of them. A blocked CUDA thread keeps one.
#pragma once

#include <cstddef>

namespace simt {

// What the machine's part of a switch needs; fiber_x86_64.cpp or fiber_ucontext.cpp.
struct Context;
// A context that calls entry() on the stack when it is first switched to; entry never returns.
// Reuses `old`, which may be null.
Context* prepare_context(Context* old, std::byte* stack, std::size_t bytes, void (*entry)());
// Goes on in `to`, and notes in `from` where to come back to.
void switch_context(Context** from, Context* to);

struct Fiber {
  Context* context = nullptr;
  std::byte* stack = nullptr;  // its lowest address
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's
};

// The stack that this thread of the operating system runs on, to switch away from and back to.
Fiber calling_stack();
// Has a stack with a guard page below it, and starts in entry().
Fiber* make_fiber(void (*entry)());
// Forgets what the fiber ran and starts it anew in entry().
void restart_fiber(Fiber& fiber, void (*entry)());

void switch_fiber(Fiber& from, Fiber& to);
// The first thing that entry() does.
void fiber_entered();

}  // namespace simt
