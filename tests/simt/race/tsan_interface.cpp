// What g++ and clang++ make instrumented code call with -fsanitize=thread, instead of libtsan's.
//
// The names and signatures are those of the compilers (gcc/sanitizer.def, LLVM's
// ThreadSanitizer.cpp). clang++ calls __tsan_memcpy and its like, g++ leaves memcpy alone: a copy
// of a size known to the compiler is seen in both, another one only under clang++.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/simt/race/checker.h"

namespace {

using simt::race::checker;

void plain(const void* p, std::size_t bytes, bool write, bool aligned, const void* pc) {
  checker().plain_access(p, bytes, write, aligned, pc);
}

// Atomic operations of the language: the access is noted, then done.
constexpr int kOrder = __ATOMIC_SEQ_CST;

template <typename T>
T load(const volatile T* p, const void* pc) {
  checker().atomic_access(const_cast<const T*>(p), sizeof(T), false, pc);
  return __atomic_load_n(p, kOrder);
}

template <typename T>
void store(volatile T* p, T value, const void* pc) {
  checker().atomic_access(const_cast<const T*>(p), sizeof(T), true, pc);
  __atomic_store_n(p, value, kOrder);
}

template <typename T, typename Change>
T change(volatile T* p, const void* pc, Change next) {
  checker().atomic_access(const_cast<const T*>(p), sizeof(T), true, pc);
  T old = __atomic_load_n(p, kOrder);
  while (!__atomic_compare_exchange_n(p, &old, next(old), false, kOrder, kOrder)) {
  }
  return old;
}

template <typename T>
bool compare_exchange(volatile T* p, T* expected, T value, const void* pc) {
  checker().atomic_access(const_cast<const T*>(p), sizeof(T), true, pc);
  return __atomic_compare_exchange_n(p, expected, value, false, kOrder, kOrder);
}

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming): the compilers' names
#define CALLER __builtin_return_address(0)

#define ACCESSES(PREFIX, SIZE, ALIGNED)                                                 \
  void __tsan_##PREFIX##read##SIZE(void* p) { plain(p, SIZE, false, ALIGNED, CALLER); } \
  void __tsan_##PREFIX##write##SIZE(void* p) { plain(p, SIZE, true, ALIGNED, CALLER); } \
  void __tsan_##PREFIX##read_write##SIZE(void* p) {                                     \
    plain(p, SIZE, false, ALIGNED, CALLER);                                             \
    plain(p, SIZE, true, ALIGNED, CALLER);                                              \
  }

#define SIZES(PREFIX, ALIGNED) \
  ACCESSES(PREFIX, 1, ALIGNED) \
  ACCESSES(PREFIX, 2, ALIGNED) \
  ACCESSES(PREFIX, 4, ALIGNED) \
  ACCESSES(PREFIX, 8, ALIGNED) \
  ACCESSES(PREFIX, 16, ALIGNED)

#define ATOMICS(BITS)                                                                    \
  uint##BITS##_t __tsan_atomic##BITS##_load(const volatile uint##BITS##_t* p, int) {     \
    return load(p, CALLER);                                                              \
  }                                                                                      \
  void __tsan_atomic##BITS##_store(volatile uint##BITS##_t* p, uint##BITS##_t v, int) {  \
    store(p, v, CALLER);                                                                 \
  }                                                                                      \
  ATOMIC_CHANGE(BITS, exchange, v)                                                       \
  ATOMIC_CHANGE(BITS, fetch_add, old + v)                                                \
  ATOMIC_CHANGE(BITS, fetch_sub, old - v)                                                \
  ATOMIC_CHANGE(BITS, fetch_and, old& v)                                                 \
  ATOMIC_CHANGE(BITS, fetch_or, old | v)                                                 \
  ATOMIC_CHANGE(BITS, fetch_xor, old ^ v)                                                \
  ATOMIC_CHANGE(BITS, fetch_nand, ~(old & v))                                            \
  ATOMIC_COMPARE(BITS, strong)                                                           \
  ATOMIC_COMPARE(BITS, weak)                                                             \
  uint##BITS##_t __tsan_atomic##BITS##_compare_exchange_val(                             \
      volatile uint##BITS##_t* p, uint##BITS##_t expected, uint##BITS##_t v, int, int) { \
    compare_exchange(p, &expected, v, CALLER);                                           \
    return expected;                                                                     \
  }

#define ATOMIC_CHANGE(BITS, NAME, NEXT)                                                            \
  uint##BITS##_t __tsan_atomic##BITS##_##NAME(volatile uint##BITS##_t* p, uint##BITS##_t v, int) { \
    return change(p, CALLER, [v]([[maybe_unused]] uint##BITS##_t old) {                            \
      return static_cast<uint##BITS##_t>(NEXT);                                                    \
    });                                                                                            \
  }

#define ATOMIC_COMPARE(BITS, STRENGTH)                                                    \
  int __tsan_atomic##BITS##_compare_exchange_##STRENGTH(                                  \
      volatile uint##BITS##_t* p, uint##BITS##_t* expected, uint##BITS##_t v, int, int) { \
    return compare_exchange(p, expected, v, CALLER);                                      \
  }

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_read(void**) {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_ignore_thread_begin() {}
void __tsan_ignore_thread_end() {}

SIZES(, true)
SIZES(volatile_, true)
SIZES(unaligned_, false)
SIZES(unaligned_volatile_, false)

void __tsan_read_range(void* p, std::size_t bytes) { plain(p, bytes, false, false, CALLER); }
void __tsan_write_range(void* p, std::size_t bytes) { plain(p, bytes, true, false, CALLER); }

void* __tsan_memcpy(void* to, const void* from, std::size_t bytes) {
  plain(from, bytes, false, false, CALLER);
  plain(to, bytes, true, false, CALLER);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, std::size_t bytes) {
  plain(from, bytes, false, false, CALLER);
  plain(to, bytes, true, false, CALLER);
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, std::size_t bytes) {
  plain(to, bytes, true, false, CALLER);
  return std::memset(to, value, bytes);
}

ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)
