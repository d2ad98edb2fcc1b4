// Ranges of one address space: first fit, neighbours merge when they come back. All sizes are
// multiples of 512 bytes, so all ranges start at one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>

namespace simt {

class Heap {
 public:
  static constexpr std::size_t kUnit = 512;

  Heap(std::byte* begin, std::size_t bytes) : begin_(begin) { free_[begin] = bytes; }

  // Null if no range is large enough.
  std::byte* take(std::size_t bytes) {
    const auto fits = [bytes](const auto& range) { return range.second >= bytes; };
    const auto found = std::find_if(free_.begin(), free_.end(), fits);
    if (found == free_.end()) return nullptr;
    const auto [begin, available] = *found;
    free_.erase(found);
    if (available > bytes) free_[begin + bytes] = available - bytes;
    used_ = std::max(used_, static_cast<std::size_t>(begin - begin_) + bytes);
    return begin;
  }

  void give_back(std::byte* begin, std::size_t bytes) {
    const auto after = free_.lower_bound(begin);
    if (after != free_.end() && after->first == begin + bytes) {
      bytes += after->second;
      free_.erase(after);
    }
    const auto next = free_.lower_bound(begin);
    if (next != free_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == begin) {
        before->second += bytes;
        return;
      }
    }
    free_[begin] = bytes;
  }

  std::byte* begin() const { return begin_; }
  // Beyond this nothing was ever taken.
  std::size_t used() const { return used_; }

 private:
  std::byte* begin_;
  std::size_t used_ = 0;
  std::map<std::byte*, std::size_t> free_;
};

}  // namespace simt
