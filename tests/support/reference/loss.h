// What a reference of a loss returns.
#pragma once

#include "tests/support/reference/sums.h"

namespace gradflip::reference {

struct Loss {
  Sums loss;  // one element, or one for each row
  Sums dlogits;
};

}  // namespace gradflip::reference
