// cp.async: a copy happens only when its thread waits for it. Until then its destination holds NaN,
// so that whoever reads too early computes with NaN in every flavour.
#include <algorithm>
#include <cstring>

#include "tests/simt/multiprocessor.h"

namespace simt {
namespace {

bool aligned(const void* address, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}

void perform(const AsyncCopy& copy, Observer* checker) {
  auto* shared = static_cast<std::byte*>(copy.shared);
  if (copy.source_bytes > 0) std::memcpy(shared, copy.global, copy.source_bytes);
  std::memset(shared + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
  if (checker != nullptr) checker->async_copy_done(copy.shared, copy.bytes, copy.pc);
}

}  // namespace

void async_copy(void* shared, const void* global, std::size_t bytes, std::size_t source_bytes,
                Site site) {
  Multiprocessor& sm = multiprocessor();
  if (!aligned(shared, bytes) || (source_bytes > 0 && !aligned(global, bytes))) {
    fail("cp.async: an address is not aligned to the size of the copy", site);
  }
  if (source_bytes > bytes) fail("cp.async: reads more than it copies", site);
  if (!sm.shared_memory().contains(shared, bytes)) {
    fail("cp.async: the destination is not in shared memory", site);
  }
  const void* pc = __builtin_return_address(0);
  std::memset(shared, 0xff, bytes);
  if (Observer* o = sm.checker()) {
    o->async_copy_issued(shared, bytes, pc);
    if (source_bytes > 0) o->access(global, source_bytes, /*write=*/false, /*atomic=*/false, pc);
  }
  Thread& thread = sm.current();
  thread.copies.push_back({shared, global, bytes, source_bytes, thread.copy_group, pc});
}

void async_copy_commit() { ++multiprocessor().current().copy_group; }

void async_copy_wait(int pending, Site site) {
  if (pending < 0) fail("cp.async: cannot wait for a negative number of groups", site);
  Multiprocessor& sm = multiprocessor();
  Thread& thread = sm.current();
  // In the order of their groups. Uncommitted ones belong to none yet, and no wait includes them.
  const int first_pending = thread.copy_group - pending;
  const auto rest =
      std::find_if(thread.copies.begin(), thread.copies.end(),
                   [&](const AsyncCopy& copy) { return copy.group >= first_pending; });
  std::for_each(thread.copies.begin(), rest,
                [&](const AsyncCopy& copy) { perform(copy, sm.checker()); });
  thread.copies.erase(thread.copies.begin(), rest);
}

}  // namespace simt
