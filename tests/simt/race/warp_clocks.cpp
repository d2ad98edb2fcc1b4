#include "tests/simt/race/warp_clocks.h"

#include <algorithm>

namespace simt::race {

void WarpClocks::reset(Warp& warp) {
  if (warp.fresh) return;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    warp.rows[lane].fill(0);
    warp.rows[lane][lane] = 1;
  }
  warp.fresh = true;
}

void WarpClocks::begin_block(unsigned threads) {
  warps_.resize((threads + kLanes - 1) / kLanes);
  block_barrier();
}

void WarpClocks::block_barrier() {
  for (Warp& warp : warps_) reset(warp);
}

void WarpClocks::advance(unsigned thread) {
  Warp& warp = warps_[thread / kLanes];
  tick(warp.rows[thread % kLanes][thread % kLanes]);
  warp.fresh = false;
}

void WarpClocks::meet(unsigned warp_index, std::uint32_t mask) {
  Warp& warp = warps_[warp_index];
  const auto for_each_member = [mask](auto&& visit) {
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      if (mask >> lane & 1) visit(lane);
    }
  };
  Row all{};
  for_each_member([&](unsigned lane) {
    for (unsigned j = 0; j < kLanes; ++j) all[j] = std::max(all[j], warp.rows[lane][j]);
  });
  // Members know of each other what ended with the meeting: the clock values that begin now.
  for_each_member([&](unsigned lane) { tick(all[lane]); });
  for_each_member([&](unsigned lane) { warp.rows[lane] = all; });
  warp.fresh = false;
}

}  // namespace simt::race
