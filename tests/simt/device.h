// What kernels call while they run: the primitives beneath CUDA's built-in functions. The headers
// of language/ and include/ are thin over these. Each may only be called by a thread of a kernel.
//
// Whatever a call has for its caller it returns in a register or stores to where the caller points:
// code of the emulator that is inlined into an instrumented kernel must not read the emulator's
// memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "tests/simt/error.h"

namespace simt {

// What every function of the CUDA language ends with: where it is called.
#define SIMT_SITE const char *site_file = __builtin_FILE(), int site_line = __builtin_LINE()
#define SIMT_SITE_ARGUMENT \
  ::simt::Site { site_file, site_line }

// Stops the launch with an error that names the site, the kernel, the block and the thread.
[[noreturn]] void fail(const char* message, Site site);

// All threads of the block meet at one site; the result is of their predicates.
enum class BlockBarrier : std::uint8_t { kPlain, kAnd, kOr, kCount };
int block_barrier(BlockBarrier kind, int predicate, Site site);

void fence();

// Collectives: the lanes of the mask, which must be the callers, meet at one site.
unsigned lane();
void warp_barrier(unsigned mask, Site site);
unsigned warp_ballot(unsigned mask, bool predicate, Site site);
// Every lane gets the value of its source lane; kOwnValue asks for the lane's own.
inline constexpr int kOwnValue = -1;
void warp_shuffle(unsigned mask, const void* value, std::size_t bytes, int source_lane,
                  void* result, Site site);
// Every lane gets the values of all: values[l] of lane l, for the lanes of the mask.
void warp_gather(unsigned mask, std::uint64_t value, std::uint64_t (&values)[32], Site site);

// Fragments as in kernels/cuda/mma.h.
void warp_mma_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                   Site site);
void warp_mma_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                   Site site);
void warp_ldmatrix(std::uint32_t (&matrices)[4], const void* row, bool transposed, Site site);

// Shared memory: one variable per key and block, filled with NaN (0xFF) before the block.
void* shared_variable(const void* key, std::size_t bytes, std::size_t alignment, const char* name);
void* dynamic_shared();

// cp.async of 4, 8 or 16 bytes, of which `source_bytes` are read and the rest is zero.
void async_copy(void* shared, const void* global, std::size_t bytes, std::size_t source_bytes,
                Site site);
void async_copy_commit();
void async_copy_wait(int pending, Site site);

// Between the two nothing else runs. `value` receives what is at the address.
void atomic_begin(const void* address, std::size_t bytes, void* value, Site site);
void atomic_end(void* address, std::size_t bytes, const void* value);

}  // namespace simt
