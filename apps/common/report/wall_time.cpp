#include "apps/common/report/wall_time.h"

#include <fmt/format.h>

namespace gradflip {

std::string text_of(const WallTime& wall) {
  const auto percent = [&](double part) { return 100.0 * wall.share(part); };
  return fmt::format("{:.1f} s: {:.1f} % steps, {:.1f} % evaluation, {:.1f} % data, {:.1f} % other",
                     wall.seconds, percent(wall.steps), percent(wall.evaluation),
                     percent(wall.data), percent(wall.other()));
}

}  // namespace gradflip
