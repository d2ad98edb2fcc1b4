#include "runtime/workers.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "kernels/require.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

// A step meets a barrier every millisecond or so; waking a sleeping thread costs tens of
// microseconds. So waiting looks a bounded while before it sleeps: never longer, or a neighbour's
// load would cost more than the sleep saves.
constexpr std::chrono::microseconds kLookBeforeSleeping{30};

template <typename T>
void wait_while_equal(const std::atomic<T>& value, T old) {
  const auto deadline = std::chrono::steady_clock::now() + kLookBeforeSleeping;
  while (value.load(std::memory_order_acquire) == old) {
    if (std::chrono::steady_clock::now() >= deadline) {
      value.wait(old, std::memory_order_acquire);
      return;
    }
  }
}

int checked(int count) {
  GRADFLIP_REQUIRE(count >= 1 && count <= 1024,
                   message("workers: ", count, " threads; expected 1 to 1024"));
  return count;
}

}  // namespace

Workers::Workers(int count) : own_items_(static_cast<std::size_t>(checked(count))) {
  try {
    start(count);
  } catch (...) {
    stop();
    throw;
  }
}

Workers::~Workers() { stop(); }

void Workers::start(int count) {
  threads_.reserve(static_cast<std::size_t>(count - 1));
  try {
    for (int worker = 1; worker < count; ++worker) {
      threads_.emplace_back([this, worker] { work(worker); });
    }
  } catch (const std::system_error& error) {
    throw IoError(message("cannot start thread ", threads_.size() + 1, " of ", count, " (",
                          error.code().message(), "); use fewer --threads"));
  }
}

void Workers::stop() {
  stop_.store(true, std::memory_order_release);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::run(const Job& job) {
  job_ = job;
  const auto crew = static_cast<std::int64_t>(own_items_.size());
  for (std::int64_t worker = 0; worker < crew; ++worker) {
    OwnItems& own = own_items_[static_cast<std::size_t>(worker)];
    own.next.store(job.items * worker / crew, std::memory_order_relaxed);
    own.end = job.items * (worker + 1) / crew;
  }
  busy_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  take_items(0);
  for (int busy = busy_.load(std::memory_order_acquire); busy != 0;
       busy = busy_.load(std::memory_order_acquire)) {
    wait_while_equal(busy_, busy);
  }
  if (failure_ != nullptr) {
    const std::exception_ptr failure = std::exchange(failure_, nullptr);
    std::rethrow_exception(failure);
  }
}

void Workers::work(int worker) {
  std::uint32_t seen = 0;
  while (true) {
    wait_while_equal(round_, seen);
    seen = round_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_acquire)) return;
    take_items(worker);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

void Workers::take_items(int worker) {
  const std::size_t crew = own_items_.size();
  try {
    for (std::size_t helped = 0; helped < crew; ++helped) {
      OwnItems& items = own_items_[(static_cast<std::size_t>(worker) + helped) % crew];
      for (std::int64_t item = items.next.fetch_add(1, std::memory_order_relaxed); item < items.end;
           item = items.next.fetch_add(1, std::memory_order_relaxed)) {
        job_.call(job_.target, worker, item);
      }
    }
  } catch (...) {
    for (OwnItems& items : own_items_) items.next.store(items.end, std::memory_order_relaxed);
    const std::lock_guard lock(failure_mutex_);
    if (failure_ == nullptr) failure_ = std::current_exception();
  }
}

}  // namespace gradflip
