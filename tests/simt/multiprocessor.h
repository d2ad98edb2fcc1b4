// Runs the blocks of a kernel, one after the other, each CUDA thread on a fiber when it needs one.
//
// Scheduling  A thread runs until it blocks or exits; then the next of the ready queue goes on. A
//             fiber whose thread exited takes the next unstarted thread without a switch, so a
//             kernel without barriers is a plain loop, and only blocked threads hold stacks.
// Deadlock    The queue is empty and threads are left: whoever is blocked will never be released.
//             The launch ends with a census of who waits where.
// Errors      The first one ends the launch: the block's stacks are abandoned, not unwound.
#pragma once

#include <exception>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/simt/config.h"
#include "tests/simt/fiber_pool.h"
#include "tests/simt/kernel_call.h"
#include "tests/simt/observer.h"
#include "tests/simt/ready_queue.h"
#include "tests/simt/shared_memory.h"
#include "tests/simt/thread.h"

namespace simt {

class Multiprocessor {
 public:
  Multiprocessor();

  // Throws Error; then the kernel is over.
  void begin_kernel(const KernelCall& call);
  void run_block(uint3 index);

  // For the running kernel's primitives.
  Thread& current() { return *current_; }
  Warp& warp_of(const Thread& thread) { return warps_[thread.linear / 32]; }
  Thread& lane_of_warp(const Thread& thread, unsigned lane) {
    return threads_[(thread.linear & ~31U) + lane];
  }
  SharedMemory& shared_memory() { return shared_memory_; }
  Observer* checker() { return observer_; }  // null if there is none
  bool running() const { return current_ != nullptr; }

  // The current thread arrives at a barrier of the block; returns when all have.
  int arrive_at_block_barrier(BlockBarrier kind, int predicate, Site site);
  // The current thread blocks until another makes it ready.
  void block();
  // The lanes of the mask are ready; the current thread, one of them, may have to wait its turn.
  void release_warp(Warp& warp, unsigned mask);

  // "kernel f<3>, block (0,0,0), thread (1,0,0)"
  std::string here() const;

 private:
  static void fiber_main();

  void start_threads();
  void run_current_thread();
  void give_way(bool exited);
  void make_current(Thread& thread, const Fiber& fiber);
  void resume(Fiber& fiber);
  void enqueue_all();
  void release_block(BlockBarrier kind, Site site);
  void check_block_end();

  Observer* const observer_;
  FiberPool fibers_;
  Fiber launching_stack_;
  Fiber* running_fiber_ = nullptr;
  SharedMemory shared_memory_;

  KernelCall call_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  ReadyQueue ready_;
  std::vector<std::uint32_t> order_;  // in which all threads become ready at once
  Order policy_ = Order::kAscending;
  std::mt19937_64 random_;

  Thread* current_ = nullptr;
  unsigned arrived_ = 0;
  unsigned exited_ = 0;
  int barrier_result_ = 0;
  std::exception_ptr error_;
};

// The only one. Made by the first launch, before a primitive can ask for it.
inline Multiprocessor* the_multiprocessor = nullptr;
inline Multiprocessor& multiprocessor() { return *the_multiprocessor; }

}  // namespace simt
