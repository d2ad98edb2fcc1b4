#include "tests/simt/race/shadow.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace simt::race {
namespace {

constexpr std::size_t kPage = 4096;

// Zeroes [begin, begin + bytes) of a mapping, by giving back the pages that lie wholly inside.
void zero(void* begin, std::size_t bytes) {
  char* const first = static_cast<char*>(begin);
  char* const last = first + bytes;
  const auto up = [](char* p) {
    return p + (kPage - reinterpret_cast<std::uintptr_t>(p) % kPage) % kPage;
  };
  char* const inner = up(first);
  char* const inner_end = last - reinterpret_cast<std::uintptr_t>(last) % kPage;
  if (inner >= inner_end) {
    std::memset(begin, 0, bytes);
    return;
  }
  std::memset(first, 0, static_cast<std::size_t>(inner - first));
  madvise(inner, static_cast<std::size_t>(inner_end - inner), MADV_DONTNEED);
  std::memset(inner_end, 0, static_cast<std::size_t>(last - inner_end));
}

}  // namespace

void* map_pages(std::size_t bytes) {
  void* const pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  return pages;
}

void Shadow::cover(void* base, std::size_t bytes) {
  base_ = static_cast<char*>(base);
  bytes_ = bytes;
  const std::size_t words = (bytes + kWord - 1) / kWord;
  states_ = static_cast<ByteState*>(map_pages(bytes));
  words_ = static_cast<Cell*>(map_pages(words * sizeof(Cell)));
  rest_ = static_cast<Cell*>(map_pages(words * (kWord - 1) * sizeof(Cell)));
}

void Shadow::set_states(const void* begin, std::size_t bytes, ByteState state) {
  std::memset(states_ + offset(begin), static_cast<int>(state), bytes);
}

void Shadow::forget(const void* begin, std::size_t bytes) {
  const std::size_t first = offset(begin) / kWord;
  const std::size_t words = (offset(begin) + bytes + kWord - 1) / kWord - first;
  zero(words_ + first, words * sizeof(Cell));
  zero(rest_ + first * (kWord - 1), words * (kWord - 1) * sizeof(Cell));
}

void Shadow::split(std::size_t word) {
  Cell& first = words_[word];
  if (first.split != 0) return;
  for (std::size_t i = 0; i < kWord - 1; ++i) rest_[word * (kWord - 1) + i] = first;
  first.split = 1;
}

}  // namespace simt::race
