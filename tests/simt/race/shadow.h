// Shadow memory: what is known of every byte of a region, beside the region.
//
// Each byte has a state. Each 4-byte word has a cell of one cache line: its last write and a few
// reads since. A word that was accessed in part has a cell per byte, until a whole write makes its
// bytes equal again. Cells and states live in mappings of their own, whose pages cost nothing
// before they are touched: 17 bytes per byte where kernels access whole words.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/simt/race/access.h"

namespace simt::race {

enum class ByteState : std::uint8_t {
  kOutside,        // of every variable and buffer; 0, as fresh pages are
  kFreed,          // of a buffer that was freed
  kUninitialised,  // nobody wrote it: since its allocation, or in this block if shared
  kInFlight,       // destination of a cp.async that has not been waited for
  kInitialised,
};

// Three reads stand for any number. If reads came from two warps, the third is of another warp than
// the first, and a write conflicts with one of the two. If not, none of the three is ordered before
// another, and a write by their warp conflicts with one unless a __syncwarp of part of the warp has
// ordered it after just these three.
struct Cell {
  Access write;
  std::array<Access, 3> reads;  // of the running block since its last barrier
  Access foreign_read;          // of another block of the launch
  std::uint32_t split;          // in a word's first cell: the bytes have their own
};
static_assert(sizeof(Cell) == 64);

class Shadow {
 public:
  // Covers [base, base + bytes); base is aligned to 16 bytes. Once.
  void cover(void* base, std::size_t bytes);

  bool has(const void* p) const { return offset(p) < bytes_; }
  std::size_t offset(const void* p) const {
    return static_cast<std::size_t>(static_cast<const char*>(p) - base_);
  }
  std::size_t bytes() const { return bytes_; }

  ByteState* states(const void* p) { return states_ + offset(p); }
  // The usual case, a word at a time.
  bool is_initialised(const void* p, std::size_t bytes) const {
    constexpr std::uint32_t kAll =
        0x01010101u * static_cast<std::uint32_t>(ByteState::kInitialised);
    const ByteState* const state = states_ + offset(p);
    std::size_t i = 0;
    for (; i + kWord <= bytes; i += kWord) {
      std::uint32_t word;
      std::memcpy(&word, state + i, kWord);
      if (word != kAll) return false;
    }
    for (; i < bytes; ++i) {
      if (state[i] != ByteState::kInitialised) return false;
    }
    return true;
  }
  void set_states(const void* begin, std::size_t bytes, ByteState state);
  // As if never accessed; also gives whole pages back.
  void forget(const void* begin, std::size_t bytes);

  // Calls visit(cell) for the cells of these bytes. `overwrites`: it leaves them all alike.
  template <typename Visit>
  void visit(const void* begin, std::size_t bytes, bool overwrites, Visit&& visit) {
    std::size_t at = offset(begin);
    const std::size_t end = at + bytes;
    while (at < end) {
      Cell& word = words_[at / kWord];
      const bool whole = at % kWord == 0 && end - at >= kWord;
      if (whole && word.split == 0) {
        visit(word);
        at += kWord;
        continue;
      }
      split(at / kWord);
      const std::size_t stop = whole ? at + kWord : std::min(end, (at / kWord + 1) * kWord);
      for (; at < stop; ++at) visit(byte_cell(at));
      if (whole && overwrites) word.split = 0;
    }
  }

 private:
  static constexpr std::size_t kWord = 4;

  void split(std::size_t word);
  Cell& byte_cell(std::size_t at) {
    const std::size_t byte = at % kWord;
    return byte == 0 ? words_[at / kWord] : rest_[at / kWord * (kWord - 1) + byte - 1];
  }

  char* base_ = nullptr;
  std::size_t bytes_ = 0;
  ByteState* states_ = nullptr;
  Cell* words_ = nullptr;
  Cell* rest_ = nullptr;  // of split words: their other three bytes
};

// Anonymous memory, zero and free until touched.
void* map_pages(std::size_t bytes);

}  // namespace simt::race
