// out[i] = value for i in [0, size): the same label for every row. size may be 0.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

void fill_labels(Cpu ctx, std::int64_t size, std::int32_t value, std::int32_t* out);
void fill_labels(Cuda ctx, std::int64_t size, std::int32_t value, std::int32_t* out);

}  // namespace gradflip
