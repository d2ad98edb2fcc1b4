#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "tests/simt/config.h"
#include "tests/simt/device_memory.h"
#include "tests/simt/error.h"
#include "tests/simt/kernel_name.h"
#include "tests/simt/launch.h"
#include "tests/simt/multiprocessor.h"
#include "tests/simt/runtime.h"

namespace simt {
namespace {

// The limits of every device since compute capability 3.0.
constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kMaxBlockZ = 64;
constexpr unsigned kMaxGridX = 0x7fffffff;
constexpr unsigned kMaxGridYZ = 65535;

std::string why_not(const KernelCall& call) {
  const auto [x, y, z] = uint3(call.block);
  const std::uint64_t threads = std::uint64_t{x} * y * z;
  if (threads == 0) return "the block is empty";
  if (threads > kMaxThreads) {
    return "the block has " + std::to_string(threads) + " threads, more than 1024";
  }
  if (z > kMaxBlockZ) return "the block is deeper than 64";
  if (call.grid.x == 0 || call.grid.y == 0 || call.grid.z == 0) return "the grid is empty";
  if (call.grid.x > kMaxGridX) return "grid.x is more than 2^31 - 1";
  if (call.grid.y > kMaxGridYZ) return "grid.y is more than 65535";
  if (call.grid.z > kMaxGridYZ) return "grid.z is more than 65535";
  if (call.shared_bytes > config().block_shared_bytes) {
    return "asks for " + std::to_string(call.shared_bytes) + " bytes of shared memory, more than " +
           std::to_string(config().block_shared_bytes / 1024) + " KiB";
  }
  return {};
}

// The k-th block to run, of all.
class BlockOrder {
 public:
  explicit BlockOrder(std::uint64_t blocks) : blocks_(blocks), order_(config().order) {
    if (order_ != Order::kRandom) return;
    shuffled_.resize(blocks);
    for (std::uint64_t k = 0; k < blocks; ++k) shuffled_[k] = k;
    std::mt19937_64 random(config().seed);
    std::shuffle(shuffled_.begin(), shuffled_.end(), random);
  }

  std::uint64_t operator[](std::uint64_t k) const {
    if (order_ == Order::kRandom) return shuffled_[k];
    return order_ == Order::kDescending ? blocks_ - 1 - k : k;
  }

 private:
  std::uint64_t blocks_;
  Order order_;
  std::vector<std::uint64_t> shuffled_;
};

uint3 index_in(const dim3& grid, std::uint64_t block) {
  return {static_cast<unsigned>(block % grid.x), static_cast<unsigned>(block / grid.x % grid.y),
          static_cast<unsigned>(block / (std::uint64_t{grid.x} * grid.y))};
}

void run_blocks(const KernelCall& call) {
  const std::uint64_t blocks = std::uint64_t{call.grid.x} * call.grid.y * call.grid.z;
  const BlockOrder order(blocks);
  for (std::uint64_t k = 0; k < blocks; ++k) {
    multiprocessor().run_block(index_in(call.grid, order[k]));
  }
}

// Neighbours of the buffers that the kernel was given: a write beyond an end lands there first.
void check_surroundings(const KernelCall& call) {
  for (int i = 0; i < call.num_arguments; ++i) {
    const std::string damage = device_memory().report_damage(call.pointers[i]);
    if (!damage.empty()) {
      throw Error("simt: " + damage + " (argument " + std::to_string(i) + " of kernel " +
                  kernel_name(call.kernel) + ")");
    }
  }
}

// The next launch is refused before it runs.
void remember_static_bytes(const KernelCall& call, Multiprocessor& sm) {
  std::size_t& known = runtime().kernel(call.device, call.kernel).static_bytes;
  known = std::max(known, sm.shared_memory().static_bytes());
}

}  // namespace

void check_configuration(const KernelCall& call) {
  const std::string reason = why_not(call);
  if (!reason.empty()) {
    throw Error("simt: cannot launch kernel " + kernel_name(call.kernel) + ": " + reason);
  }
}

void check_pointers(const KernelCall& call) {
  for (int i = 0; i < call.num_arguments; ++i) {
    const void* pointer = call.pointers[i];
    if (pointer == nullptr) continue;
    if (const auto* buffer = device_memory().buffer_of(pointer, 0); buffer != nullptr) {
      if (buffer->device == call.device) continue;
      throw Error("simt: argument " + std::to_string(i) + " of kernel " + kernel_name(call.kernel) +
                  " is memory of device " + std::to_string(buffer->device) + ", which device " +
                  std::to_string(call.device) + " has no access to");
    }
    throw Error("simt: argument " + std::to_string(i) + " of kernel " + kernel_name(call.kernel) +
                (device_memory().was_freed(pointer) ? " points to memory that was freed"
                                                    : " is not device memory"));
  }
}

void run_kernel(const KernelCall& call) {
  if (the_multiprocessor == nullptr) the_multiprocessor = new Multiprocessor;
  Multiprocessor& sm = multiprocessor();
  if (sm.running()) throw Error("simt: a kernel launches a kernel");
  check_pointers(call);
  const DeviceMemory::Access access;
  Observer* const checker = sm.checker();
  if (checker != nullptr) {
    checker->begin_launch(kernel_name(call.kernel).c_str(), sm.shared_memory().arena(),
                          SharedMemory::kArenaBytes, call.arguments.get(), call.argument_bytes);
  }
  try {
    sm.begin_kernel(call);
    run_blocks(call);
    check_surroundings(call);
    remember_static_bytes(call, sm);
  } catch (...) {
    remember_static_bytes(call, sm);
    if (checker != nullptr) checker->abandon_launch();
    throw;
  }
  if (checker != nullptr) checker->end_launch();
}

}  // namespace simt
