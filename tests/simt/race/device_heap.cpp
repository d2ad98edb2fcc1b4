#include "tests/simt/race/device_heap.h"

#include "tests/simt/race/shadow.h"

namespace simt::race {

DeviceHeap::DeviceHeap()
    : base_(static_cast<char*>(map_pages(kBytes))), next_(base_ + kAlignment) {}

char* DeviceHeap::find_gap(char* from, std::size_t size) const {
  char* gap = from;
  for (auto buffer = buffers_.lower_bound(from); buffer != buffers_.end(); ++buffer) {
    if (buffer->first >= gap + size) return gap;
    gap = const_cast<char*>(buffer->first) + room(buffer->second);
  }
  return gap + size <= base_ + kBytes ? gap : nullptr;
}

char* DeviceHeap::allocate(std::size_t bytes) {
  const std::size_t size = room(bytes);
  char* found = find_gap(next_, size);
  if (found == nullptr) found = find_gap(base_ + kAlignment, size);
  if (found == nullptr) return nullptr;
  buffers_[found] = bytes;
  next_ = found + size;
  return found;
}

std::size_t DeviceHeap::free(void* begin) {
  const auto buffer = buffers_.find(static_cast<char*>(begin));
  if (buffer == buffers_.end()) return 0;
  const std::size_t bytes = buffer->second;
  buffers_.erase(buffer);
  return bytes;
}

std::pair<const char*, std::size_t> DeviceHeap::buffer_before(const void* p) const {
  const auto after = buffers_.upper_bound(static_cast<const char*>(p));
  if (after == buffers_.begin()) return {nullptr, 0};
  return *std::prev(after);
}

}  // namespace simt::race
