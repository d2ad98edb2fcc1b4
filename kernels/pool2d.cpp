#include "kernels/pool2d.h"

#include <limits>

#include "kernels/require.h"

namespace gradflip {
namespace {

void require_axis(std::string_view name, const char* axis, std::int64_t size, std::int64_t window,
                  std::int64_t stride, std::int64_t pad) {
  GRADFLIP_REQUIRE(size > 0 && window > 0 && stride > 0,
                   message(name, ": along the ", axis, " size is ", size, ", window ", window,
                           ", stride ", stride, "; all must be > 0"));
  // A window wholly inside the padding would have nothing to pool.
  GRADFLIP_REQUIRE(pad >= 0 && pad < window, message(name, ": along the ", axis, " padding is ",
                                                     pad, ", must be in [0, ", window, ")"));
  GRADFLIP_REQUIRE(window <= size + 2 * pad,
                   message(name, ": window is ", window, " along the ", axis,
                           ", the padded input has ", size + 2 * pad));
}

}  // namespace

void require_valid(const Pool2dShape& shape, std::string_view name) {
  GRADFLIP_REQUIRE(shape.N >= 0 && shape.C > 0,
                   message(name, ": N is ", shape.N, " (>= 0), C is ", shape.C, " (> 0)"));
  require_axis(name, "height", shape.H, shape.window_h, shape.stride_h, shape.pad_h);
  require_axis(name, "width", shape.W, shape.window_w, shape.stride_w, shape.pad_w);
  GRADFLIP_REQUIRE(shape.window_h <= std::numeric_limits<std::int32_t>::max() / shape.window_w,
                   message(name, ": a window of ", shape.window_h, " x ", shape.window_w,
                           " has more positions than an int32 can name"));
}

}  // namespace gradflip
