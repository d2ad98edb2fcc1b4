#include "tests/simt/shared_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "tests/simt/error.h"
#include "tests/simt/observer.h"
#include "tests/simt/sanitizer.h"

namespace simt {
namespace {

constexpr std::size_t kRedZone = 256;
constexpr std::byte kNan{0xff};  // every float of these bytes is a NaN

std::size_t round_up(std::size_t bytes, std::size_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

SharedMemory::SharedMemory()
    : arena_(static_cast<std::byte*>(mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
  if (arena_ == MAP_FAILED) throw Error("simt: no memory for shared memory");
}

void SharedMemory::begin_launch(std::size_t dynamic_bytes, std::size_t limit) {
  limit_ = limit;
  regions_.clear();
  static_bytes_ = 0;
  sanitizer::poison(arena_, kArenaBytes);
  // 128 bytes off a larger alignment: a kernel gets the alignment that is promised and no more.
  used_ = kRedZone + 128;
  add_region(nullptr, dynamic_bytes, 128, "dynamic");
}

void SharedMemory::begin_block() {
  sanitizer::unpoison(arena_, used_);
  std::fill_n(arena_, used_, kNan);
  if (!kAddressSanitizer) return;
  sanitizer::poison(arena_, kArenaBytes);
  for (const Region& region : regions_) sanitizer::unpoison(arena_ + region.offset, region.bytes);
}

SharedMemory::Region& SharedMemory::add_region(const void* key, std::size_t bytes,
                                               std::size_t alignment, const char* name) {
  const std::size_t offset = round_up(used_ + kRedZone, alignment);
  sanitizer::unpoison(arena_ + used_, offset + bytes + kRedZone - used_);
  std::fill(arena_ + used_, arena_ + offset + bytes + kRedZone, kNan);
  sanitizer::poison(arena_ + used_, offset - used_);
  sanitizer::poison(arena_ + offset + bytes, kRedZone);
  used_ = offset + bytes + kRedZone;
  if (Observer* o = observer(); o != nullptr && bytes > 0) {
    o->shared_variable(arena_ + offset, bytes);
  }
  regions_.push_back({key, offset, bytes, name});
  return regions_.back();
}

void* SharedMemory::variable(const void* key, std::size_t bytes, std::size_t alignment,
                             const char* name) {
  for (const Region& region : regions_) {
    if (region.key == key) return arena_ + region.offset;
  }
  static_bytes_ += bytes;
  if (static_bytes_ > kMaxStaticBytes) {
    throw Error("simt: more than 48 KiB of static shared memory (variable " + std::string(name) +
                ")");
  }
  if (static_bytes_ + regions_.front().bytes > limit_) {
    throw LaunchRefused("simt: more than " + std::to_string(limit_ / 1024) +
                        " KiB of static and dynamic shared memory (variable " + std::string(name) +
                        ")");
  }
  return arena_ + add_region(key, bytes, std::max<std::size_t>(alignment, 16), name).offset;
}

bool SharedMemory::contains(const void* address, std::size_t bytes) const {
  const auto* begin = static_cast<const std::byte*>(address);
  return begin >= arena_ && begin + bytes <= arena_ + used_;
}

std::string SharedMemory::damaged_variable() const {
  if (kAddressSanitizer) return {};  // which reports the write itself
  static const std::vector<std::byte> intact(kRedZone, kNan);
  const auto damaged = [](const std::byte* zone) {
    return std::memcmp(zone, intact.data(), kRedZone) != 0;
  };
  for (const Region& region : regions_) {
    const std::byte* begin = arena_ + region.offset;
    const std::byte* end = begin + region.bytes;
    if (damaged(begin - kRedZone) || damaged(end)) return region.name;
  }
  return {};
}

}  // namespace simt
