// Which pools other operations take in: those whose windows neither overlap nor are padded, and
// whose winners a byte names.
#pragma once

#include "kernels/misfit.h"
#include "runtime/ops/pool2d.h"

namespace gradflip {

Misfit pool_misfit(const ops::Pool2dGeometry& pool);

}  // namespace gradflip
