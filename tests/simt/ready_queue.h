// The threads of a block that can go on, as linear indices: a ring with room for each once.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace simt {

class ReadyQueue {
 public:
  void reset(unsigned threads) {
    ring_.resize(std::bit_ceil(threads));
    mask_ = static_cast<std::uint32_t>(ring_.size() - 1);
    clear();
  }
  void clear() { head_ = tail_ = 0; }

  bool empty() const { return head_ == tail_; }
  void push_back(std::uint32_t thread) { ring_[tail_++ & mask_] = thread; }
  void push_front(std::uint32_t thread) { ring_[--head_ & mask_] = thread; }
  std::uint32_t pop() { return ring_[head_++ & mask_]; }

 private:
  std::vector<std::uint32_t> ring_;
  std::uint32_t mask_ = 0;
  std::uint32_t head_ = 0;  // both run on past the end and wrap
  std::uint32_t tail_ = 0;
};

}  // namespace simt
