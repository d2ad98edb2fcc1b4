// Stacks, and what AddressSanitizer has to know about them: it keeps the bounds of the stack in use
// and must be told before and after each switch, or an exception on a fiber ends in a false report.
#include "tests/simt/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/simt/error.h"
#include "tests/simt/sanitizer.h"

namespace simt {
namespace {

// Kernels keep little on the stack. Sanitizers put red zones around it.
constexpr std::size_t kStackBytes = kAddressSanitizer ? 512 * 1024 : 128 * 1024;

// The fiber that was left last: who comes next learns from it whose stack that was.
Fiber* left = nullptr;

void finish_switch(void* fake_stack) {
  if (!kAddressSanitizer) return;
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  sanitizer::finish_switch_fiber(fake_stack, &bottom, &bytes);
  if (left->stack == nullptr) {  // a calling stack, whose bounds only the sanitizer knows
    left->stack = static_cast<std::byte*>(const_cast<void*>(bottom));
    left->stack_bytes = bytes;
  }
}

}  // namespace

Fiber calling_stack() { return {.context = prepare_context(nullptr, nullptr, 0, nullptr)}; }

Fiber* make_fiber(void (*entry)()) {
  const auto guard = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, kStackBytes + guard, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE) != 0) {
    throw Error("simt: no memory for the stack of a thread");
  }
  auto* fiber = new Fiber;
  fiber->stack = static_cast<std::byte*>(memory) + guard;
  fiber->stack_bytes = kStackBytes;
  fiber->context = prepare_context(nullptr, fiber->stack, kStackBytes, entry);
  return fiber;
}

void restart_fiber(Fiber& fiber, void (*entry)()) {
  sanitizer::unpoison(fiber.stack, fiber.stack_bytes);
  fiber.fake_stack = nullptr;
  fiber.context = prepare_context(fiber.context, fiber.stack, fiber.stack_bytes, entry);
}

void switch_fiber(Fiber& from, Fiber& to) {
  left = &from;
  sanitizer::start_switch_fiber(&from.fake_stack, to.stack, to.stack_bytes);
  switch_context(&from.context, to.context);
  finish_switch(from.fake_stack);
}

void fiber_entered() { finish_switch(nullptr); }

}  // namespace simt
