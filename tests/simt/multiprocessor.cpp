#include "tests/simt/multiprocessor.h"

#include <algorithm>
#include <utility>

#include "tests/simt/census.h"
#include "tests/simt/error.h"
#include "tests/simt/kernel_name.h"
#include "tests/simt/language/index.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace simt {

Multiprocessor::Multiprocessor()
    : observer_(observer()), fibers_(fiber_main), launching_stack_(calling_stack()) {}

void Multiprocessor::begin_kernel(const KernelCall& call) {
  call_ = call;
  const unsigned threads = call.block.x * call.block.y * call.block.z;
  policy_ = config().order;
  random_.seed(config().seed);
  threads_.resize(threads);
  warps_.resize((threads + 31) / 32);
  ready_.reset(threads);
  order_.resize(threads);
  for (unsigned t = 0; t < threads; ++t) {
    order_[t] = policy_ == Order::kDescending ? threads - 1 - t : t;
    threads_[t].linear = t;
    threads_[t].index = {t % call.block.x, t / call.block.x % call.block.y,
                         t / (call.block.x * call.block.y)};
  }
  // Another thread of the operating system may launch than did the last time.
  launching_stack_.stack = nullptr;
  launching_stack_.stack_bytes = 0;
  blockDim = call.block;
  gridDim = call.grid;
  shared_memory_.begin_launch(call.shared_bytes, call.shared_limit);
}

void Multiprocessor::run_block(uint3 index) {
  blockIdx = index;
  start_threads();
  if (observer_ != nullptr) observer_->begin_block(static_cast<unsigned>(threads_.size()));
  enqueue_all();

  // The launching stack takes part as a fiber that is always blocked.
  running_fiber_ = &launching_stack_;
  Thread& first = threads_[ready_.pop()];
  first.fiber = fibers_.take();
  make_current(first, *first.fiber);
  resume(*first.fiber);

  if (!error_) check_block_end();
  current_ = nullptr;
  if (error_) {
    fibers_.restart_all();
    std::rethrow_exception(std::exchange(error_, nullptr));
  }
  if (observer_ != nullptr) observer_->end_block();
}

void Multiprocessor::start_threads() {
  arrived_ = 0;
  exited_ = 0;
  ready_.clear();
  for (Thread& thread : threads_) {
    thread.state = Thread::State::kReady;
    thread.fiber = nullptr;
    thread.copy_group = 0;
    thread.copies.clear();
  }
  for (std::size_t w = 0; w < warps_.size(); ++w) {
    const std::size_t lanes = threads_.size() - 32 * w;
    warps_[w].alive = lanes >= 32 ? 0xffffffffU : (1U << lanes) - 1;
    warps_[w].pending.clear();
  }
  shared_memory_.begin_block();
}

void Multiprocessor::check_block_end() {
  if (exited_ != threads_.size()) {
    error_ = std::make_exception_ptr(Error("simt: divergent barrier or deadlock in kernel " +
                                           kernel_name(call_.kernel) + ", block " + text(blockIdx) +
                                           census(threads_)));
    return;
  }
  const std::string damaged = shared_memory_.damaged_variable();
  if (damaged.empty()) return;
  error_ = std::make_exception_ptr(Error("simt: write outside shared memory beside " + damaged +
                                         ", kernel " + kernel_name(call_.kernel) + ", block " +
                                         text(blockIdx)));
}

void Multiprocessor::make_current(Thread& thread, const Fiber& fiber) {
  current_ = &thread;
  threadIdx = thread.index;
  if (observer_ != nullptr) observer_->set_thread(thread.linear, fiber.stack, fiber.stack_bytes);
}

void Multiprocessor::resume(Fiber& fiber) {
  Fiber& from = *running_fiber_;
  running_fiber_ = &fiber;
  switch_fiber(from, fiber);
}

void Multiprocessor::fiber_main() {
  fiber_entered();
  for (Multiprocessor& self = multiprocessor();;) {
    self.run_current_thread();
    self.give_way(/*exited=*/true);
  }
}

void Multiprocessor::run_current_thread() {
  try {
    call_.run_thread(call_.arguments.get());
  } catch (...) {
    if (!error_) error_ = std::current_exception();
  }
  // Copies that nobody waited for never arrive: nothing may build on them.
  Thread& thread = *current_;
  thread.state = Thread::State::kExited;
  thread.fiber = nullptr;
  warp_of(thread).alive &= ~(1U << thread.linear % 32);
  ++exited_;
}

// Lets the next ready thread go on. Returns when the caller's fiber has a thread to run: its own
// again, or, if that exited, another one that starts on it.
void Multiprocessor::give_way(bool exited) {
  Fiber* const fiber = running_fiber_;
  if (error_ || ready_.empty()) {
    if (exited) fibers_.give_back(fiber);
    resume(launching_stack_);
    return;
  }
  Thread& next = threads_[ready_.pop()];
  if (next.fiber == nullptr) {
    if (exited) {  // starts right here
      next.fiber = fiber;
      make_current(next, *fiber);
      return;
    }
    next.fiber = fibers_.take();
  } else if (next.fiber == fiber) {
    return;
  } else if (exited) {
    fibers_.give_back(fiber);
  }
  make_current(next, *next.fiber);
  resume(*next.fiber);
}

void Multiprocessor::block() { give_way(/*exited=*/false); }

void Multiprocessor::enqueue_all() {
  if (policy_ == Order::kRandom) std::shuffle(order_.begin(), order_.end(), random_);
  for (const std::uint32_t thread : order_) ready_.push_back(thread);
}

int Multiprocessor::arrive_at_block_barrier(BlockBarrier kind, int predicate, Site site) {
  Thread& thread = *current_;
  thread.state = Thread::State::kAtBlockBarrier;
  thread.site = site;
  thread.barrier = kind;
  thread.predicate = predicate;
  if (++arrived_ == threads_.size()) release_block(kind, site);
  block();
  return barrier_result_;
}

void Multiprocessor::release_block(BlockBarrier kind, Site site) {
  arrived_ = 0;
  int count = 0;
  for (Thread& other : threads_) {
    if (other.barrier != kind || !same_site(other.site, site)) {
      throw Error("simt: divergent __syncthreads: thread " + text(other.index) + " is at " +
                  text(other.site) + ", another at " + text(site) + ", " + here());
    }
    if (other.predicate != 0) ++count;
    other.state = Thread::State::kReady;
  }
  switch (kind) {
    case BlockBarrier::kAnd:
      barrier_result_ = count == static_cast<int>(threads_.size()) ? 1 : 0;
      break;
    case BlockBarrier::kOr:
      barrier_result_ = count > 0 ? 1 : 0;
      break;
    case BlockBarrier::kPlain:
    case BlockBarrier::kCount:
      barrier_result_ = count;
  }
  if (observer_ != nullptr) observer_->block_barrier();
  enqueue_all();
}

void Multiprocessor::release_warp(Warp& warp, unsigned mask) {
  const unsigned self = current_->linear % 32;
  const auto warp_begin = static_cast<std::uint32_t>(&warp - warps_.data()) * 32;
  std::uint32_t lanes[32];
  std::uint32_t count = 0;
  for (unsigned k = 0; k < 32; ++k) {
    const unsigned lane = policy_ == Order::kDescending ? k : 31 - k;
    if ((mask >> lane & 1U) == 0) continue;
    threads_[warp_begin + lane].state = Thread::State::kReady;
    // In order, the caller goes on at once, without a switch, and the others come next.
    if (lane != self || policy_ == Order::kRandom) lanes[count++] = warp_begin + lane;
  }
  if (policy_ != Order::kRandom) {
    for (std::uint32_t l = 0; l < count; ++l) ready_.push_front(lanes[l]);
    return;
  }
  std::shuffle(lanes, lanes + count, random_);
  for (std::uint32_t l = 0; l < count; ++l) {
    if ((random_() & 1U) != 0) {
      ready_.push_front(lanes[l]);
    } else {
      ready_.push_back(lanes[l]);
    }
  }
  block();
}

std::string Multiprocessor::here() const {
  return "kernel " + kernel_name(call_.kernel) + ", block " + text(blockIdx) + ", thread " +
         text(current_->index);
}

}  // namespace simt
