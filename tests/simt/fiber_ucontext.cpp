// The switch of the C library, for every other machine: some 300 ns, because it also saves the
// signal mask.
#include <ucontext.h>

#include "tests/simt/fiber.h"

namespace simt {

struct Context {
  ucontext_t state;
};

namespace {

void start(Context& context, std::byte* stack, std::size_t bytes, void (*entry)()) {
  getcontext(&context.state);
  context.state.uc_stack.ss_sp = stack;
  context.state.uc_stack.ss_size = bytes;
  context.state.uc_link = nullptr;
  makecontext(&context.state, entry, 0);
}

}  // namespace

Context* prepare_context(Context* old, std::byte* stack, std::size_t bytes, void (*entry)()) {
  Context* context = old != nullptr ? old : new Context{};
  if (entry != nullptr) start(*context, stack, bytes, entry);
  return context;
}

void switch_context(Context** from, Context* to) { swapcontext(&(*from)->state, &to->state); }

}  // namespace simt
