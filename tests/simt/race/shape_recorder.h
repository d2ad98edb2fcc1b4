// Collects the accesses of a block into the requests of its warps (memory_shape.h).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/simt/race/memory_shape.h"
#include "tests/simt/race/program.h"

namespace simt::race {

class ShapeRecorder {
 public:
  ShapeRecorder();  // on if SIMT_PROFILE is set

  bool on() const { return on_; }
  void turn(bool on);
  void begin_launch(const char* kernel) { kernel_ = kernel; }
  void add(unsigned thread, const void* begin, std::size_t bytes, bool shared, bool write, Pc pc);
  void end_block();  // counts its requests
  void drop_block() { warps_.clear(); }

  std::vector<MemoryShape> shapes(SourceLines& lines) const;
  void print_if_asked(SourceLines& lines) const;

 private:
  static constexpr unsigned kLanes = 32;
  struct Request {
    std::array<std::uintptr_t, kLanes> addresses;
    std::uint32_t lanes = 0;
  };
  struct Instruction {
    std::vector<Request> requests;
    std::array<std::uint32_t, kLanes> next{};  // request of each lane
  };
  struct Key {
    Pc pc;
    unsigned bytes;
    bool shared, write;
    auto operator<=>(const Key&) const = default;
  };
  struct Count {
    std::uint64_t requests = 0, transactions = 0, ideal = 0;
  };

  static void count_shared(const Request& request, unsigned bytes, Count& count);
  static void count_global(const Request& request, unsigned bytes, Count& count);

  bool on_ = false;
  bool print_ = false;
  std::string kernel_;
  std::vector<std::map<Key, Instruction>> warps_;
  std::map<std::string, std::map<Key, Count>> counts_;  // by kernel
};

}  // namespace simt::race
