#include <cstring>
#include <new>

#include "runtime/memory_backends.h"

namespace gradflip {
namespace {

constexpr std::align_val_t kAlignment{64};

}  // namespace

std::byte* allocate(Cpu /*ctx*/, std::int64_t bytes) {
  auto* memory =
      static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), kAlignment));
  std::memset(memory, 0, static_cast<std::size_t>(bytes));
  return memory;
}

void release(Cpu /*ctx*/, std::byte* memory) noexcept { ::operator delete(memory, kAlignment); }

void copy_within(Cpu /*ctx*/, void* to, const void* from, std::int64_t bytes) {
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

void copy_from_host(Cpu /*ctx*/, void* to, const void* from, std::int64_t bytes) {
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

void copy_to_host(Cpu /*ctx*/, void* to, const void* from, std::int64_t bytes) {
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

}  // namespace gradflip
