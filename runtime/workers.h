// The only threads of the program: a fixed crew that shares out numbered items of work.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace gradflip {

class Workers {
 public:
  // A crew of `count`, 1 to 1024, the calling thread included. Throws std::invalid_argument, or
  // IoError where the system refuses that many threads; no thread is left then.
  explicit Workers(int count);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int count() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls body(worker, item) for each item in [0, items), each exactly once; returns when all are
  // done. Every worker begins with its own run of neighbouring items, the same ones in every call
  // of as many items, so that what it leaves in its core's cache meets it again; who is through
  // helps the others. So which worker takes an item is left to chance, and a body must not let it
  // matter. The first exception is rethrown after all workers stopped; items not begun by then are
  // skipped. Not reentrant. Allocates nothing.
  template <typename Body>
  void for_each(std::int64_t items, Body&& body) {
    if (items <= 0) return;
    if (threads_.empty() || items == 1) {
      for (std::int64_t item = 0; item < items; ++item) body(0, item);
      return;
    }
    Job job{&body,
            [](void* target, int worker, std::int64_t item) {
              (*static_cast<std::remove_reference_t<Body>*>(target))(worker, item);
            },
            items};
    run(job);
  }

 private:
  struct Job {
    void* target;
    void (*call)(void*, int worker, std::int64_t item);
    std::int64_t items;
  };
  // What is left of a worker's own items; on a cache line of its own, as its worker changes it all
  // the time.
  struct alignas(64) OwnItems {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  void start(int count);
  void stop();
  void run(const Job& job);
  void work(int worker);
  void take_items(int worker);

  std::vector<std::thread> threads_;
  Job job_{};
  std::vector<OwnItems> own_items_;
  std::atomic<std::uint32_t> round_{0};  // raised to start a job
  std::atomic<int> busy_{0};             // threads that have not finished the job
  std::atomic<bool> stop_{false};
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

}  // namespace gradflip
