// How training pictures are changed, as people write it on a command line, in a configuration file
// and in presets:
//
//   shift=3, flip@0.5, 2 of (contrast=0.9, invert, rotate=30, scale=0.75..1)@0.8, cutout=14
//
// A comma separates operations, which apply one after the other, each with its probability behind @
// (1 where there is none) and a strength drawn anew for each picture on each step. `name=range` draws
// from what the table says, `name=low..high` from that interval. `n of (...)` takes n distinct
// operations of those in parentheses, in random order. "none", "weak" and "strong" stand for
// operations of their own, alone or among others.
//
//   shift       whole pixels, both ways: +-range; what comes in is reflected
//   flip        mirrors left and right    } these three have no range, and outside of parentheses
//   vflip       mirrors top and bottom    } they need a probability
//   invert      255 - v                   }
//   rotate      degrees: +-range, up to 180
//   shear       pixels across per pixel down, or down per pixel across: +-range, up to 1
//   translate   share of width and of height: +-range, up to 1
//   scale       magnification: 1 +- range, within 0.0625 and 16
//   contrast    factor about mid-grey: 1 +- range, within 0 and 16
//   brightness  factor: 1 +- range, within 0 and 16
//   channels    gain 1 +- range about mid-grey, and mid-grey times 1 +- range, of each channel: up to 1
//   solarize    inverts the brightest share of bytes: 0 to range, up to 1, which is the default
//   posterize   whole bits that are cleared: 0 to range, up to 7
//   blur        standard deviation in pixels: 0 to range, up to 1
//   cutout      side in whole pixels of a mid-grey square, always the range; low..high draws it
//   noise       standard deviation as a share of 255: 0 to range, up to 1
// With a range of 0 each is the identity, bit for bit. kernels/augment.h has the formulas.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/augment.h"

namespace gradflip {

struct AugmentationStep {
  AugmentKind kind = AugmentKind::kShift;
  // As written: name=high, or name=low..high. Of an operation without a range 0.
  double low = 0.0, high = 0.0;
  bool is_interval = false;
  double probability = 1.0;
  // Of kSome: choose of them.
  int choose = 0;
  std::vector<AugmentationStep> members;

  friend bool operator==(const AugmentationStep& a, const AugmentationStep& b) = default;
};

struct Augmentation {
  std::vector<AugmentationStep> steps;  // empty: pictures stay what they are

  friend bool operator==(const Augmentation& a, const Augmentation& b) = default;
};

// Throws std::invalid_argument, one line: what it cannot read, and what is allowed there.
Augmentation parse_augmentation(std::string_view text);

// What parse_augmentation reads as the same: in full, never by a set's name but for "none".
std::string text_of(const Augmentation& augmentation);
std::string text_of(const AugmentationStep& step);

// What kernels run.
AugmentProgram augment_program(const Augmentation& augmentation);

// "none", "weak", "strong", each with what it stands for.
const std::vector<std::pair<std::string, std::string>>& augmentation_sets();

}  // namespace gradflip
