// What the emulator tells AddressSanitizer; nothing in builds without it. The only place that asks
// whether it is there.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#define SIMT_HAS_FEATURE(name) __has_feature(name)
#else
#define SIMT_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SIMT_HAS_FEATURE(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

namespace simt {

inline constexpr bool kAddressSanitizer = true;

namespace sanitizer {

inline void poison(const void* begin, std::size_t bytes) {
  __asan_poison_memory_region(begin, bytes);
}
inline void unpoison(const void* begin, std::size_t bytes) {
  __asan_unpoison_memory_region(begin, bytes);
}
inline void start_switch_fiber(void** fake_stack, const void* stack, std::size_t bytes) {
  __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
}
inline void finish_switch_fiber(void* fake_stack, const void** left, std::size_t* left_bytes) {
  __sanitizer_finish_switch_fiber(fake_stack, left, left_bytes);
}

}  // namespace sanitizer
}  // namespace simt

#else

namespace simt {

inline constexpr bool kAddressSanitizer = false;

namespace sanitizer {

inline void poison(const void* /*begin*/, std::size_t /*bytes*/) {}
inline void unpoison(const void* /*begin*/, std::size_t /*bytes*/) {}
inline void start_switch_fiber(void** /*fake_stack*/, const void* /*stack*/,
                               std::size_t /*bytes*/) {}
inline void finish_switch_fiber(void* /*fake_stack*/, const void** /*left*/,
                                std::size_t* /*left_bytes*/) {}

}  // namespace sanitizer
}  // namespace simt

#endif
