// The second half of a product whose K is split over blocks, without a second launch: each block
// wrote its sums of a tile as one part to the workspace, and the last block of the tile to finish
// adds the parts. Many parts are added in groups, each by its own last block, and the groups' sums
// by the last of these: no block reads more than about the square root of the parts.
//
// Order     the parts of a group in order, then the groups in order, whichever block does it: the
//           same bits in every run.
// Cost      what the second launch of tile_partials.cuh reads and writes, on fewer blocks, in place
//           of about 2.5 us between two launches.
#pragma once

#include <cstdint>

#include "kernels/cuda/simt.h"
#include "kernels/cuda/step_state.cuh"

namespace gradflip {

struct PartGroups {
  int parts;  // of every tile
  int size;   // parts of a group; the last group may have fewer
  int count;  // groups

  // A tile's: one for each group, one for the groups.
  int tickets() const { return count + 1; }
};

inline PartGroups part_groups(std::int64_t parts) {
  constexpr std::int64_t kFewParts = 16;  // reads that one thread has under way at once
  std::int64_t size = parts;
  if (parts > kFewParts) {
    size = 1;
    while (size * size < parts) ++size;
  }
  return {static_cast<int>(parts), static_cast<int>(size),
          size == 0 ? 0 : static_cast<int>((parts + size - 1) / size)};
}

// Whether every tile of a launch gets its tickets.
inline bool tickets_suffice(const PartGroups& groups, std::int64_t tiles) {
  return tiles * groups.tickets() <= kMaxTickets;
}

// The whole block, after it has written part `part` of its tile; `tickets` are the tile's, `last`
// one word of shared memory. Calls
//   add(first, step, count, is_final)
// in all threads of a block that has parts to add: first, first + step, ... (count of them). The
// sum becomes part `first`, or, where is_final, the result. Parts are other blocks' stores: read
// them with __ldcg.
template <typename Add>
__device__ __forceinline__ void finish_parts(const PartGroups& groups, int part,
                                             std::uint32_t* tickets, unsigned* last,
                                             const Add& add) {
  const int group = part / groups.size;
  const int begin = group * groups.size;
  const int in_group = min(groups.size, groups.parts - begin);
  if (!is_last_block(tickets + group, static_cast<unsigned>(in_group), last)) return;
  add(begin, 1, in_group, groups.count == 1);
  if (groups.count == 1) return;
  if (!is_last_block(tickets + groups.count, static_cast<unsigned>(groups.count), last)) return;
  add(0, groups.size, groups.count, true);
}

}  // namespace gradflip
