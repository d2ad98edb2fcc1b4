// The race flavour's observer: checks every access of a kernel as it happens.
//
// Kernel files are compiled with -fsanitize=thread, which puts a call before each load and store;
// tsan_interface.cpp supplies those calls and hands the accesses on to here. What is checked:
//   bounds           the bytes belong to a shared variable or to a device buffer that is not freed
//   initialisation   somebody wrote what is read: the host or a kernel; if shared, this block
//   cp.async         nobody touches a destination between the copy's issue and its wait
//   races            of two accesses to a byte by different threads, one of which writes and not
//   both
//                    of which are atomic, one comes before the other (ordering.h)
//   alignment        an access of n bytes is at a multiple of n
//   host memory      a pointer leads to device or shared memory, the thread's own stack, the
//                    arguments or a constant of the program
// Findings are collected and thrown, all together, at the end of the launch.
#pragma once

#include <optional>
#include <vector>

#include "tests/simt/observer.h"
#include "tests/simt/race/device_heap.h"
#include "tests/simt/race/findings.h"
#include "tests/simt/race/ordering.h"
#include "tests/simt/race/program.h"
#include "tests/simt/race/shadow.h"
#include "tests/simt/race/shape_recorder.h"

namespace simt::race {

class Checker final : public Observer, public MemoryShapeSource {
 public:
  Checker();

  void begin_launch(const char* kernel, void* arena, std::size_t arena_bytes, const void* arguments,
                    std::size_t argument_bytes) override;
  void end_launch() override;
  void abandon_launch() override;
  void begin_block(unsigned threads) override;
  void end_block() override;
  void set_thread(unsigned thread, void* stack, std::size_t stack_bytes) override;
  void block_barrier() override { ordering_.block_barrier(); }
  void warp_barrier(unsigned warp, std::uint32_t mask) override {
    ordering_.warp_barrier(warp, mask);
  }
  void fence() override { ordering_.fence(thread_); }
  void shared_variable(void* begin, std::size_t bytes) override;
  void access(const void* begin, std::size_t bytes, bool write, bool atomic,
              const void* pc) override;
  void async_copy_issued(void* begin, std::size_t bytes, const void* pc) override;
  void async_copy_done(void* begin, std::size_t bytes, const void* pc) override;
  void* device_alloc(std::size_t bytes) override;
  bool device_free(void* begin) override;
  void host_write(void* begin, std::size_t bytes) override;

  void record_memory_shapes(bool on) override { shapes_.turn(on); }
  std::vector<MemoryShape> memory_shapes() override { return shapes_.shapes(lines_); }
  void print_memory_shapes_if_asked() { shapes_.print_if_asked(lines_); }

  // Kernel code runs, as opposed to the host code that shares its file.
  bool in_kernel() const { return in_kernel_; }
  // A load or store of instrumented code.
  void plain_access(const void* begin, std::size_t bytes, bool write, bool aligned, const void* pc);
  // One step of an atomic: a load alone, or a store, perhaps with a load.
  void atomic_access(const void* begin, std::size_t bytes, bool write, const void* pc) {
    if (in_kernel_) access(begin, bytes, write, true, pc);
  }

 private:
  enum class Kind { kRead, kWrite, kAtomicRead, kAtomicWrite };
  struct Range {
    const char* begin;
    std::size_t bytes;
    Kind kind;
    Access access;
    bool writes() const { return kind == Kind::kWrite || kind == Kind::kAtomicWrite; }
    bool reads() const { return kind != Kind::kWrite; }
  };

  Shadow* region_of(const void* p);
  void check(Shadow& region, const Range& range);
  bool check_states(Shadow& region, const Range& range);
  void check_order(Shadow& region, Cell& cell, const Range& range);
  void remember_read(Cell& cell, const Access& read);
  bool conflicts(const Shadow& region, const Access& earlier, const Access& now) const;
  bool in_own_memory(const void* p);

  static const char* verb_of(bool write, bool atomic);
  Party party(const char* verb, const Access& access) const;
  void report(Shadow& region, const char* what, const Range& range,
              const std::optional<Party>& before);
  std::string place(Shadow& region, const char* p) const;

  bool in_kernel_ = false;
  unsigned thread_ = 0;
  const char* stack_ = nullptr;
  std::size_t stack_bytes_ = 0;
  const char* arguments_ = nullptr;
  std::size_t argument_bytes_ = 0;
  std::string kernel_;
  std::vector<std::array<unsigned, 3>> blocks_;  // of this launch, as they run
  std::vector<std::pair<char*, std::size_t>> variables_;

  Shadow shared_;
  Shadow device_;
  DeviceHeap heap_;
  Ordering ordering_;
  ProgramMemory program_;
  SourceLines lines_;
  Findings findings_;
  ShapeRecorder shapes_;
};

Checker& checker();

}  // namespace simt::race
