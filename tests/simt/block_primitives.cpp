// The primitives of device.h that concern one thread or its block.
#include <cstdint>
#include <cstring>

#include "tests/simt/multiprocessor.h"

namespace simt {

void fail(const char* message, Site site) {
  throw Error("simt: " + std::string(message) + " at " + text(site) + ", " +
              multiprocessor().here());
}

int block_barrier(BlockBarrier kind, int predicate, Site site) {
  return multiprocessor().arrive_at_block_barrier(kind, predicate, site);
}

void fence() {
  if (Observer* o = multiprocessor().checker()) o->fence();
}

unsigned lane() { return multiprocessor().current().linear % 32; }

void* shared_variable(const void* key, std::size_t bytes, std::size_t alignment, const char* name) {
  return multiprocessor().shared_memory().variable(key, bytes, alignment, name);
}

void* dynamic_shared() { return multiprocessor().shared_memory().dynamic(); }

void atomic_begin(const void* address, std::size_t bytes, void* value, Site site) {
  if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0) {
    fail("atomic on a misaligned address", site);
  }
  if (Observer* o = multiprocessor().checker()) {
    o->access(address, bytes, /*write=*/true, /*atomic=*/true, __builtin_return_address(0));
  }
  std::memcpy(value, address, bytes);
}

void atomic_end(void* address, std::size_t bytes, const void* value) {
  std::memcpy(address, value, bytes);
}

}  // namespace simt
