#include "tests/simt/race/checker.h"

#include "tests/simt/error.h"
#include "tests/simt/language/index.h"

namespace simt::race {
namespace {

bool same_warp(const Access& a, const Access& b) {
  return a.thread() / WarpClocks::kLanes == b.thread() / WarpClocks::kLanes;
}

}  // namespace

Checker::Checker() { device_.cover(heap_.base(), DeviceHeap::kBytes); }

// ---- launches and blocks

void Checker::begin_launch(const char* kernel, void* arena, std::size_t arena_bytes,
                           const void* arguments, std::size_t argument_bytes) {
  kernel_ = kernel;
  arguments_ = static_cast<const char*>(arguments);
  argument_bytes_ = argument_bytes;
  if (shared_.bytes() == 0) shared_.cover(arena, arena_bytes);
  for (const auto& [begin, bytes] : variables_) {
    shared_.set_states(begin, bytes, ByteState::kOutside);
  }
  variables_.clear();
  blocks_.clear();
  findings_.clear();
  ordering_.begin_launch();
  shapes_.begin_launch(kernel);
}

void Checker::end_launch() {
  in_kernel_ = false;
  const std::string report = findings_.report(kernel_, lines_);
  if (!report.empty()) throw Error(report);
}

void Checker::abandon_launch() {
  in_kernel_ = false;
  shapes_.drop_block();
}

void Checker::begin_block(unsigned threads) {
  ordering_.begin_block(threads);
  blocks_.push_back({blockIdx.x, blockIdx.y, blockIdx.z});
  for (const auto& [begin, bytes] : variables_) {
    shared_.set_states(begin, bytes, ByteState::kUninitialised);
  }
}

void Checker::end_block() {
  in_kernel_ = false;
  if (shapes_.on()) shapes_.end_block();
}

void Checker::set_thread(unsigned thread, void* stack, std::size_t stack_bytes) {
  in_kernel_ = true;
  thread_ = thread;
  stack_ = static_cast<const char*>(stack);
  stack_bytes_ = stack_bytes;
}

void Checker::shared_variable(void* begin, std::size_t bytes) {
  variables_.emplace_back(static_cast<char*>(begin), bytes);
  shared_.set_states(begin, bytes, ByteState::kUninitialised);
}

// ---- device memory

void* Checker::device_alloc(std::size_t bytes) {
  char* const begin = heap_.allocate(bytes);
  if (begin != nullptr) device_.set_states(begin, bytes, ByteState::kUninitialised);
  return begin;
}

bool Checker::device_free(void* begin) {
  const std::size_t bytes = heap_.free(begin);
  if (bytes == 0) return false;
  device_.set_states(begin, bytes, ByteState::kFreed);
  device_.forget(begin, bytes);
  return true;
}

void Checker::host_write(void* begin, std::size_t bytes) {
  if (device_.has(begin)) device_.set_states(begin, bytes, ByteState::kInitialised);
}

// ---- accesses

Shadow* Checker::region_of(const void* p) {
  if (shared_.has(p)) return &shared_;
  return device_.has(p) ? &device_ : nullptr;
}

bool Checker::in_own_memory(const void* p) {
  const auto* const address = static_cast<const char*>(p);
  const auto inside = [address](const char* begin, std::size_t bytes) {
    return static_cast<std::size_t>(address - begin) < bytes;
  };
  return inside(stack_, stack_bytes_) || inside(arguments_, argument_bytes_) || program_.has(p);
}

void Checker::plain_access(const void* begin, std::size_t bytes, bool write, bool aligned,
                           const void* pc) {
  if (!in_kernel_ || bytes == 0) return;
  Shadow* const region = region_of(begin);
  if (region == nullptr && in_own_memory(begin)) return;
  const Range range{static_cast<const char*>(begin), bytes, write ? Kind::kWrite : Kind::kRead,
                    ordering_.access(thread_, pc_of(pc), false)};
  if (region == nullptr) {
    // What the C++ library does inside the emulator, between two steps of a kernel, is none of its.
    if (lines_.of(range.access.pc()).in_library) return;
    findings_.add("access", "host memory, where a device pointer is expected",
                  party(verb_of(write, false), range.access), {}, [] { return std::string(); });
    return;
  }
  if (aligned && reinterpret_cast<std::uintptr_t>(begin) % bytes != 0) {
    // It ends the launch on a GPU. The host's vector instruction would end the process.
    report(*region, "misaligned access", range, {});
    throw Error(findings_.report(kernel_, lines_));
  }
  check(*region, range);
  if (shapes_.on()) {
    shapes_.add(thread_, begin, bytes, region == &shared_, write, range.access.pc());
  }
}

void Checker::access(const void* begin, std::size_t bytes, bool write, bool atomic,
                     const void* pc) {
  Shadow* const region = region_of(begin);
  if (region == nullptr) {
    plain_access(begin, bytes, write, false, pc);  // which reports it
    return;
  }
  const Kind kind = write ? (atomic ? Kind::kAtomicWrite : Kind::kWrite)
                          : (atomic ? Kind::kAtomicRead : Kind::kRead);
  const Range range{static_cast<const char*>(begin), bytes, kind,
                    ordering_.access(thread_, pc_of(pc), atomic)};
  check(*region, range);
  if (atomic && region == &device_) ordering_.atomic(thread_, begin);
  if (!atomic && shapes_.on()) {
    shapes_.add(thread_, begin, bytes, region == &shared_, write, range.access.pc());
  }
}

void Checker::async_copy_issued(void* begin, std::size_t bytes, const void* pc) {
  access(begin, bytes, true, false, pc);
  if (shared_.has(begin) && *shared_.states(begin) == ByteState::kInitialised) {
    shared_.set_states(begin, bytes, ByteState::kInFlight);
  }
}

// The copy may have been written at any time since its issue: for what follows, now.
void Checker::async_copy_done(void* begin, std::size_t bytes, const void* pc) {
  if (!shared_.has(begin) || *shared_.states(begin) != ByteState::kInFlight) return;
  shared_.set_states(begin, bytes, ByteState::kInitialised);
  check(shared_, {static_cast<const char*>(begin), bytes, Kind::kWrite,
                  ordering_.access(thread_, pc_of(pc), false)});
}

// ---- checks

void Checker::check(Shadow& region, const Range& range) {
  const bool initialised = region.is_initialised(range.begin, range.bytes);
  if (!initialised && !check_states(region, range)) return;
  // A plain write comes after all that was remembered, or is reported: what follows need only be
  // compared with it. An atomic one is not, since others may follow that conflict with a read.
  const bool overwrites = range.kind == Kind::kWrite;
  region.visit(range.begin, range.bytes, overwrites, [&](Cell& cell) {
    check_order(region, cell, range);
    if (overwrites) {
      cell.reads = {};
      cell.foreign_read = {};
    }
    if (range.writes()) {
      cell.write = range.access;
    } else {
      remember_read(cell, range.access);
    }
  });
  if (range.writes() && !initialised) {
    region.set_states(range.begin, range.bytes, ByteState::kInitialised);
  }
}

// False if the bytes have no further history worth checking.
bool Checker::check_states(Shadow& region, const Range& range) {
  const ByteState* const states = region.states(range.begin);
  // Bytes beyond the region's end are outside, too; its last page is never allocated.
  for (std::size_t i = 0; i < range.bytes; ++i) {
    switch (states[i]) {
      case ByteState::kInitialised:
        continue;
      case ByteState::kOutside:
        report(region, "out-of-bounds access", range, {});
        return false;
      case ByteState::kFreed:
        report(region, "use of freed memory", range, {});
        return false;
      case ByteState::kUninitialised:
        if (!range.reads()) continue;
        report(region, "uninitialised read", range, {});
        return true;
      case ByteState::kInFlight:
        region.visit(range.begin + i, 1, false, [&](Cell& cell) {
          report(region, "access to cp.async data before its wait", range,
                 party("cp.async", cell.write));
        });
        return false;
    }
  }
  return true;
}

bool Checker::conflicts(const Shadow& region, const Access& earlier, const Access& now) const {
  if (!earlier.exists() || (earlier.atomic() && now.atomic())) return false;
  // Every block has shared memory of its own.
  if (&region == &shared_ && earlier.interval() < ordering_.block_first()) return false;
  return !ordering_.is_before(earlier, thread_);
}

void Checker::check_order(Shadow& region, Cell& cell, const Range& range) {
  if (conflicts(region, cell.write, range.access)) {
    report(region, "race", range, party(verb_of(true, cell.write.atomic()), cell.write));
  }
  if (!range.writes()) return;
  for (const Access& read : cell.reads) {
    if (!conflicts(region, read, range.access)) continue;
    report(region, "race", range, party(verb_of(false, read.atomic()), read));
    return;
  }
  if (conflicts(region, cell.foreign_read, range.access)) {
    report(region, "race", range,
           party(verb_of(false, cell.foreign_read.atomic()), cell.foreign_read));
  }
}

void Checker::remember_read(Cell& cell, const Access& read) {
  auto& reads = cell.reads;
  if (reads[0].interval() != read.interval()) {
    if (reads[0].exists() && reads[0].interval() < ordering_.block_first()) {
      cell.foreign_read = reads[0];
    }
    reads = {read};
    return;
  }
  // Of reads by two warps, any write conflicts with one.
  if (reads[2].exists() && !same_warp(reads[0], reads[2])) return;
  if (!same_warp(reads[0], read)) {
    reads[2] = read;
    return;
  }
  for (Access& slot : reads) {
    if (!slot.exists() || slot.thread() == read.thread() || ordering_.is_before(slot, thread_)) {
      slot = read;
      return;
    }
  }
}

}  // namespace simt::race
