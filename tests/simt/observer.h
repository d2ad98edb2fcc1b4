// What the emulator tells whoever checks memory accesses. The plain and the sanitizer flavours have
// no observer; the race flavour links one that checks races, initialisation and bounds, and counts
// memory shapes. Which it is follows from what a test is linked with: observer() is defined in
// no_observer.cpp and in race/race_observer.cpp.
//
// A `pc` is a return address inside the kernel's code. The innermost inlined frame there may be a
// header of the emulator (atomicAdd, cp_async): the first frame outside tests/simt is the kernel's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace simt {

class Observer {
 public:
  virtual ~Observer() = default;

  // A launch: the arena holds all shared memory; `arguments` is the copied argument list, which
  // kernels may read. Between begin_block and end_block kernel code runs. end_launch throws
  // simt::Error if anything was found. `kernel` stays valid.
  virtual void begin_launch(const char* kernel, void* arena, std::size_t arena_bytes,
                            const void* arguments, std::size_t argument_bytes) = 0;
  virtual void end_launch() = 0;
  // The launch ends with another error; what was found so far is dropped. Instead of end_launch,
  // perhaps in the middle of a block.
  virtual void abandon_launch() = 0;

  virtual void begin_block(unsigned threads) = 0;
  virtual void end_block() = 0;
  // From here on accesses are those of this thread (its linear index) on this stack.
  virtual void set_thread(unsigned thread, void* stack, std::size_t stack_bytes) = 0;

  virtual void block_barrier() = 0;
  virtual void warp_barrier(unsigned warp, std::uint32_t mask) = 0;  // __syncwarp
  virtual void fence() = 0;                                          // __threadfence

  // A variable in the arena came into being; it is uninitialised in every block.
  virtual void shared_variable(void* begin, std::size_t bytes) = 0;
  // An access of the current thread that is not a plain load or store of instrumented code: an
  // atomic (write and atomic set), the global side of a cp.async, a lane's 16-byte row of ldmatrix.
  virtual void access(const void* begin, std::size_t bytes, bool write, bool atomic,
                      const void* pc) = 0;
  // cp.async: the destination must not be touched until its copy is done. Both calls are writes of
  // the current thread, and no access() comes with them; `pc` is that of the copy in both.
  virtual void async_copy_issued(void* begin, std::size_t bytes, const void* pc) = 0;
  virtual void async_copy_done(void* begin, std::size_t bytes, const void* pc) = 0;

  // Device memory: the observer may want it in a region of its own. device_alloc may return null:
  // the caller then allocates by itself. device_free returns whether the memory was its own.
  virtual void* device_alloc(std::size_t bytes) = 0;
  virtual bool device_free(void* begin) = 0;
  // The host (a copy or a memset) initialised device memory.
  virtual void host_write(void* begin, std::size_t bytes) = 0;
};

// Null in flavours without one. The same object every time.
Observer* observer();

}  // namespace simt
