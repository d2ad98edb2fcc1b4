// Digits in black and white.
#pragma once

#include "models/data/domain_data.h"

namespace gradflip {

// Every byte above 0 becomes 255.
void fill_ink(Images& images);

}  // namespace gradflip
