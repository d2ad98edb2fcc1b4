// How the emulated device behaves. A GPU runs blocks and threads in any order and the work of a
// stream at any time between its enqueueing and its synchronisation: tests go through several.
#pragma once

#include <cstddef>
#include <cstdint>

namespace simt {

enum class Order { kAscending, kDescending, kRandom };

struct Config {
  // In which ready threads and blocks run.
  Order order = Order::kAscending;
  std::uint64_t seed = 1;  // of the random order
  // Streams are queues that run as late as CUDA allows, the newest stream first: a missing
  // synchronisation or event gives stale data. Otherwise work runs when it is enqueued.
  bool asynchronous = false;
  // Device memory is inaccessible to the host outside copies and kernels.
  bool protect = false;
  // Shared memory that a block may ask for, its static variables included: of sm_90; sm_80 has 163
  // KiB, sm_86 and sm_89 have 99.
  std::size_t block_shared_bytes = 227 * 1024;
  int multiprocessors = 132;  // as the device describes itself; kernels run on one thread
  int devices = 1;            // all alike
};

// Of this process; initially from the environment: SIMT_ORDER (ascending, descending, random),
// SIMT_SEED, SIMT_ASYNC=1, SIMT_PROTECT=1, SIMT_SHARED_KIB, SIMT_MULTIPROCESSORS, SIMT_DEVICES. It
// may change between launches.
Config& config();

}  // namespace simt
