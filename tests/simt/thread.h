// A CUDA thread of the block that runs, and its warp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/simt/device.h"
#include "tests/simt/fiber.h"
#include "vector_types.h"

namespace simt {

enum class WarpOp : std::uint8_t { kSync, kShuffle, kVote, kGather, kLdmatrix, kMma };

// A cp.async that this thread has not waited for.
struct AsyncCopy {
  void* shared;
  const void* global;
  std::size_t bytes;
  std::size_t source_bytes;
  int group;
  const void* pc;
};

struct Thread {
  enum class State : std::uint8_t { kReady, kAtBlockBarrier, kAtWarpOp, kExited };

  uint3 index{};
  unsigned linear = 0;
  State state = State::kReady;
  Fiber* fiber = nullptr;  // null until it starts and after it exits
  // What it waits for.
  Site site{};
  BlockBarrier barrier{};
  int predicate = 0;
  WarpOp op{};

  int copy_group = 0;  // of the next cp.async
  std::vector<AsyncCopy> copies;
};

// A warp collective some of whose lanes have arrived.
struct Rendezvous {
  WarpOp op;
  unsigned mask;
  unsigned arrived;
  Site site;
};

struct Warp {
  // What a lane brings to a collective and takes from it.
  struct alignas(64) Lane {
    std::byte in[64];
    std::byte out[64];
  };
  Lane lanes[32];
  unsigned alive = 0;  // the lanes that exist and have not exited
  std::vector<Rendezvous> pending;
};

}  // namespace simt
