// Where the seconds of a run, or of a whole program, went.
#pragma once

#include <string>

namespace gradflip {

struct WallTime {
  double seconds = 0.0;  // all of it
  // Of these: training steps, measuring accuracy, and bringing pictures to where they are needed.
  double steps = 0.0, evaluation = 0.0, data = 0.0;

  double other() const { return seconds - steps - evaluation - data; }
  // A part of the whole; 0 where there is none.
  double share(double part) const { return seconds > 0.0 ? part / seconds : 0.0; }
};

// "12.3 s: 93.0 % steps, 4.1 % evaluation, 2.5 % data, 0.4 % other"
std::string text_of(const WallTime& wall);

}  // namespace gradflip
