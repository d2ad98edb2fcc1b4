#include "tests/simt/device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "tests/simt/config.h"
#include "tests/simt/error.h"
#include "tests/simt/observer.h"
#include "tests/simt/sanitizer.h"

namespace simt {
namespace {

constexpr std::size_t kGuard = 256;
constexpr int kGuardByte = 0xee;
constexpr int kNanByte = 0xff;

constexpr std::size_t kSetAside = std::size_t{64} << 20;

// What a buffer takes of the heap.
std::size_t footprint(std::size_t bytes) {
  return (bytes + 2 * kGuard + Heap::kUnit - 1) / Heap::kUnit * Heap::kUnit;
}

std::byte* reserve(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw Error("simt: no room for device memory");
  return static_cast<std::byte*>(memory);
}

void fill_guard(std::byte* guard) { std::memset(guard, kGuardByte, kGuard); }

bool intact(const std::byte* guard) {
  return std::all_of(guard, guard + kGuard,
                     [](std::byte b) { return b == static_cast<std::byte>(kGuardByte); });
}

std::string damage_of(const DeviceMemory::Buffer& buffer) {
  // Whoever supplies the memory, or the sanitizer, reports the write itself.
  if (kAddressSanitizer || buffer.of_observer) return {};
  const bool below = !intact(buffer.begin - kGuard);
  const bool above = !intact(buffer.begin + buffer.bytes);
  if (!below && !above) return {};
  return std::string("write ") + (below ? "before" : "after") + " a device buffer of " +
         std::to_string(buffer.bytes) + " bytes";
}

}  // namespace

DeviceMemory& device_memory() {
  static auto* memory = new DeviceMemory;
  return *memory;
}

DeviceMemory::DeviceMemory() : heap_(reserve(kTotalBytes), kTotalBytes) {}

void* DeviceMemory::allocate(std::size_t bytes, int device) {
  if (bytes > kTotalBytes) return nullptr;
  if (Observer* o = observer()) {
    if (void* memory = o->device_alloc(bytes)) {
      auto* begin = static_cast<std::byte*>(memory);
      std::memset(begin, kNanByte, bytes);
      buffers_[begin] = {begin, bytes, /*of_observer=*/true, device};
      allocated_ += footprint(bytes);
      return memory;
    }
  }
  std::byte* block = take(footprint(bytes));
  if (block == nullptr) return nullptr;
  const Access access;
  sanitizer::unpoison(block, footprint(bytes));
  std::byte* begin = block + kGuard;
  fill_guard(block);
  std::memset(begin, kNanByte, bytes);
  fill_guard(begin + bytes);
  sanitizer::poison(block, kGuard);
  sanitizer::poison(begin + bytes, footprint(bytes) - kGuard - bytes);
  buffers_[begin] = {begin, bytes, /*of_observer=*/false, device};
  allocated_ += footprint(bytes);
  return begin;
}

// Memory that was set aside comes back only when there is no other.
std::byte* DeviceMemory::take(std::size_t bytes) {
  for (;;) {
    std::byte* block = heap_.take(bytes);
    if (block != nullptr || freed_.empty()) return block;
    give_back_oldest();
  }
}

void DeviceMemory::give_back_oldest() {
  const Buffer& oldest = freed_.front();
  heap_.give_back(oldest.begin - kGuard, footprint(oldest.bytes));
  set_aside_ -= footprint(oldest.bytes);
  freed_.pop_front();
}

void DeviceMemory::set_aside(const Buffer& buffer) {
  freed_.push_back(buffer);
  set_aside_ += footprint(buffer.bytes);
  while (set_aside_ > kSetAside) give_back_oldest();
}

DeviceMemory::Freed DeviceMemory::release(void* memory, std::string* damage) {
  const auto found = buffers_.find(static_cast<std::byte*>(memory));
  if (found == buffers_.end()) return Freed::kUnknown;
  const Access access;
  const Buffer buffer = found->second;
  *damage = damage_of(buffer);
  buffers_.erase(found);
  allocated_ -= footprint(buffer.bytes);
  if (buffer.of_observer) {
    observer()->device_free(memory);
  } else {
    sanitizer::poison(buffer.begin, buffer.bytes);
    set_aside(buffer);
  }
  return damage->empty() ? Freed::kDone : Freed::kDamaged;
}

void DeviceMemory::release_all() {
  std::string ignored;
  while (!buffers_.empty()) release(buffers_.begin()->second.begin, &ignored);
}

const DeviceMemory::Buffer* DeviceMemory::buffer_of(const void* address, std::size_t bytes) const {
  const auto* begin = static_cast<const std::byte*>(address);
  auto after = buffers_.upper_bound(begin);
  if (after == buffers_.begin()) return nullptr;
  const Buffer& buffer = std::prev(after)->second;
  const auto offset = static_cast<std::size_t>(begin - buffer.begin);
  return offset <= buffer.bytes && bytes <= buffer.bytes - offset ? &buffer : nullptr;
}

bool DeviceMemory::was_freed(const void* address) const {
  const auto* byte = static_cast<const std::byte*>(address);
  return std::any_of(freed_.begin(), freed_.end(), [byte](const Buffer& b) {
    return byte >= b.begin && byte <= b.begin + b.bytes;
  });
}

std::string DeviceMemory::report_damage(const void* address) {
  const Buffer* buffer = address == nullptr ? nullptr : buffer_of(address, 0);
  if (buffer == nullptr) return {};
  std::string damage = damage_of(*buffer);
  if (!damage.empty()) {
    fill_guard(buffer->begin - kGuard);
    fill_guard(buffer->begin + buffer->bytes);
  }
  return damage;
}

void DeviceMemory::set_accessible(bool accessible) {
  if (accessible == accessible_) return;
  accessible_ = accessible;
  if (heap_.used() == 0) return;
  mprotect(heap_.begin(), heap_.used(), accessible ? PROT_READ | PROT_WRITE : PROT_NONE);
}

DeviceMemory::Access::Access() {
  DeviceMemory& memory = device_memory();
  ++memory.accesses_;
  memory.set_accessible(true);
}

DeviceMemory::Access::~Access() {
  DeviceMemory& memory = device_memory();
  if (--memory.accesses_ == 0 && config().protect) memory.set_accessible(false);
}

}  // namespace simt
