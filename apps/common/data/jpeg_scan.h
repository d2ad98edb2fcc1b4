// The coded data of one scan of a JPEG, read for its length only: where blocks end, not what they
// show. ITU T.81: annex F.2 (sequential), G (progressive), E.1.4 and B.2.1 (restarts).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "apps/common/data/huffman_table.h"

namespace gradflip {

inline constexpr int kJpegCoefficients = 64;  // of a block

struct JpegComponent {
  unsigned id = 0;
  std::int64_t h = 1, v = 1;  // sampling factors
  // Of a progressive picture: for each block the coefficients known to be other than 0, bit k for
  // number k of the zigzag order. One row of blocks after the other, whole MCUs.
  std::vector<std::uint64_t> nonzero;
  std::int64_t blocks_wide = 0, blocks_high = 0;  // of the component alone
  std::int64_t stored_wide = 0;                   // padded to whole MCUs
};

struct JpegFrame {
  bool progressive = false;
  std::int64_t mcus_wide = 0, mcus_high = 0;
  std::vector<JpegComponent> components;
};

// One scan: its components with their tables, and which coefficients and bits it brings.
struct JpegScan {
  struct Part {
    JpegComponent* component;
    const HuffmanTable *dc, *ac;  // null where not defined
  };
  std::vector<Part> parts;
  int first = 0, last = kJpegCoefficients - 1;  // coefficients
  int high = 0;  // of a progressive picture, the lowest bit known before; 0: this is the first pass
  std::int64_t restart_interval = 0;  // MCUs; 0: none
};

// Reads the data of `scan` that starts at file[begin]. Returns where the next marker stands, the
// byte FF; a restart behind the last interval belongs to the data. Throws DataError (the reason
// only) if blocks are missing, a code is none of its table's, a restart marker is missing, or more
// is left over than a few bytes or some zeros: cameras leave that, and a hole in the middle
// leaves whatever makes fewer blocks than what it replaced.
std::size_t read_scan(std::span<const std::byte> file, std::size_t begin, const JpegFrame& frame,
                      JpegScan& scan);

}  // namespace gradflip
