#include "tests/simt/race/shape_recorder.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <tuple>

namespace simt::race {
namespace {

// The different ones among the first `count`.
template <std::size_t kSize>
std::size_t distinct(std::array<std::uintptr_t, kSize>& values, std::size_t count) {
  const auto end = values.begin() + static_cast<std::ptrdiff_t>(count);
  std::sort(values.begin(), end);
  return static_cast<std::size_t>(std::unique(values.begin(), end) - values.begin());
}

}  // namespace

ShapeRecorder::ShapeRecorder() {
  const char* const asked = std::getenv("SIMT_PROFILE");
  on_ = print_ = asked != nullptr && asked[0] != '0';
}

void ShapeRecorder::turn(bool on) {
  if (on) counts_.clear();
  on_ = on;
}

void ShapeRecorder::add(unsigned thread, const void* begin, std::size_t bytes, bool shared,
                        bool write, Pc pc) {
  const unsigned lane = thread % kLanes;
  if (warps_.size() <= thread / kLanes) warps_.resize(thread / kLanes + 1);
  Instruction& instruction =
      warps_[thread / kLanes][{pc, static_cast<unsigned>(bytes), shared, write}];
  const std::uint32_t index = instruction.next[lane]++;
  if (instruction.requests.size() <= index) instruction.requests.resize(index + 1);
  Request& request = instruction.requests[index];
  request.addresses[lane] = reinterpret_cast<std::uintptr_t>(begin);
  request.lanes |= 1u << lane;
}

void ShapeRecorder::count_shared(const Request& request, unsigned bytes, Count& count) {
  constexpr unsigned kBanks = 32;
  const unsigned together = bytes >= 16 ? 8 : bytes == 8 ? 16 : 32;
  for (unsigned first = 0; first < kLanes; first += together) {
    std::array<std::uintptr_t, 4 * kLanes> words;  // at most 32 of 4 bytes, or 8 of 16
    std::size_t used = 0;
    for (unsigned lane = first; lane < first + together; ++lane) {
      if (!(request.lanes >> lane & 1)) continue;
      const std::uintptr_t last = (request.addresses[lane] + bytes - 1) / 4;
      for (auto word = request.addresses[lane] / 4; word <= last && used < words.size(); ++word) {
        words[used++] = word;
      }
    }
    if (used == 0) continue;
    std::array<unsigned, kBanks> bank{};
    for (std::size_t i = 0, n = distinct(words, used); i < n; ++i) ++bank[words[i] % kBanks];
    count.transactions += *std::max_element(bank.begin(), bank.end());
    ++count.ideal;
  }
}

void ShapeRecorder::count_global(const Request& request, unsigned bytes, Count& count) {
  constexpr unsigned kSector = 32;
  std::array<std::uintptr_t, kLanes> addresses;
  std::array<std::uintptr_t, 2 * kLanes> sectors;
  std::size_t used = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if (!(request.lanes >> lane & 1)) continue;
    addresses[used] = request.addresses[lane];
    sectors[2 * used] = request.addresses[lane] / kSector;
    sectors[2 * used + 1] = (request.addresses[lane] + bytes - 1) / kSector;
    ++used;
  }
  count.transactions += distinct(sectors, 2 * used);
  count.ideal += (distinct(addresses, used) * bytes + kSector - 1) / kSector;
}

void ShapeRecorder::end_block() {
  if (warps_.empty()) return;
  std::map<Key, Count>& counts = counts_[kernel_];
  for (const auto& warp : warps_) {
    for (const auto& [key, instruction] : warp) {
      Count& count = counts[key];
      for (const Request& request : instruction.requests) {
        ++count.requests;
        (key.shared ? count_shared : count_global)(request, key.bytes, count);
      }
    }
  }
  warps_.clear();
}

std::vector<MemoryShape> ShapeRecorder::shapes(SourceLines& lines) const {
  std::vector<Pc> pcs;
  for (const auto& [kernel, counts] : counts_) {
    for (const auto& [key, count] : counts) pcs.push_back(key.pc);
  }
  lines.look_up(pcs);
  // One line may have several instructions of a kind, of an unrolled loop for example.
  using Place = std::tuple<std::string, std::string, int, bool, bool, unsigned>;
  std::map<Place, Count> merged;
  for (const auto& [kernel, counts] : counts_) {
    for (const auto& [key, count] : counts) {
      const SourceLine& line = lines.of(key.pc);
      Count& sum = merged[{kernel, line.file, line.line, key.shared, key.write, key.bytes}];
      sum.requests += count.requests;
      sum.transactions += count.transactions;
      sum.ideal += count.ideal;
    }
  }
  std::vector<MemoryShape> shapes;
  for (const auto& [place, count] : merged) {
    const auto& [kernel, file, line, shared, write, bytes] = place;
    shapes.push_back({kernel, file, line, shared, write, bytes, count.requests, count.transactions,
                      count.ideal});
  }
  return shapes;
}

void ShapeRecorder::print_if_asked(SourceLines& lines) const {
  if (!print_) return;
  std::string kernel;
  for (const MemoryShape& shape : shapes(lines)) {
    if (shape.kernel != kernel) {
      kernel = shape.kernel;
      std::fprintf(stderr, "memory shape of %s\n", kernel.c_str());
    }
    std::fprintf(stderr, "  %s\n", text(shape).c_str());
  }
}

}  // namespace simt::race
