#include "tests/simt/race/ordering.h"

#include <algorithm>

namespace simt::race {

void Ordering::begin_launch() {
  launch_first_ = block_first_ = ++now_;
  block_starts_.clear();
  publications_.begin_launch();
}

void Ordering::begin_block(unsigned threads) {
  block_first_ = ++now_;
  block_starts_.push_back(block_first_);
  clocks_.begin_block(threads);
  publications_.begin_block(threads, block_first_);
}

void Ordering::block_barrier() {
  ++now_;
  clocks_.block_barrier();
  publications_.block_barrier();
}

void Ordering::fence(unsigned thread) {
  clocks_.advance(thread);
  publications_.fence(thread, now_, clocks_);
}

std::size_t Ordering::block_of(Interval interval) const {
  const auto next = std::upper_bound(block_starts_.begin(), block_starts_.end(), interval);
  return static_cast<std::size_t>(next - block_starts_.begin()) - 1;
}

bool Ordering::is_received(const Access& earlier, unsigned thread) const {
  return publications_.received(thread, earlier, block_starts_[block_of(earlier.interval())]);
}

}  // namespace simt::race
