#include "runtime/pool_misfit.h"

#include <string>

#include "kernels/conv_block.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

std::string extents_text(std::int64_t h, std::int64_t w) { return message(h, "x", w); }

}  // namespace

Misfit pool_misfit(const ops::Pool2dGeometry& pool) {
  const std::string window = extents_text(pool.window_h, pool.window_w);
  if (pool.window_h != pool.stride_h || pool.window_w != pool.stride_w) {
    const bool overlaps = pool.window_h > pool.stride_h || pool.window_w > pool.stride_w;
    return message("the pool's windows ", overlaps ? "overlap" : "leave gaps", " (", window,
                   ", stride ", extents_text(pool.stride_h, pool.stride_w), ")");
  }
  if (pool.pad_h != 0 || pool.pad_w != 0) {
    return message("the pool is padded (", extents_text(pool.pad_h, pool.pad_w), ")");
  }
  if (pool.window_h * pool.window_w >= kDeadWinner) {
    return message("the pool's windows are ", window, ", of at most ", kDeadWinner - 1,
                   " positions");
  }
  return {};
}

}  // namespace gradflip
