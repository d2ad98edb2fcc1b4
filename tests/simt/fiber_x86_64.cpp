// The switch for x86-64 (System V): six registers and the stack pointer, 5 ns. The context is the
// stack pointer of the suspended stack, with the registers on top.
#include <cstdint>

#include "tests/simt/fiber.h"

extern "C" void simt_switch_context(simt::Context** from, simt::Context* to);

// Returns by a jump: a `ret` here would always be mispredicted, three times the cost.
asm(R"(
.text
.p2align 4
.globl simt_switch_context
.type simt_switch_context, @function
simt_switch_context:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rax
  jmp *%rax
.size simt_switch_context, . - simt_switch_context
)");

namespace simt {

Context* prepare_context(Context* /*old*/, std::byte* stack, std::size_t bytes, void (*entry)()) {
  if (entry == nullptr) return nullptr;  // the first switch away from it fills it in
  auto* top = reinterpret_cast<std::uintptr_t*>(stack + bytes - 16);
  *--top = 0;  // where entry would return to: the end of every stack walk, aligned as after a call
  *--top = reinterpret_cast<std::uintptr_t>(entry);
  for (int saved_register = 0; saved_register < 6; ++saved_register) *--top = 0;
  return reinterpret_cast<Context*>(top);
}

void switch_context(Context** from, Context* to) { simt_switch_context(from, to); }

}  // namespace simt
