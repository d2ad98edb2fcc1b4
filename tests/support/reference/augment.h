// Augmentation as kernels/augment.h tells it: one operation after the other, pixel by pixel.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/augment.h"

namespace gradflip::reference {

// Of all `count` rows of a launch, as augment() writes them.
std::vector<std::uint8_t> augmented(const AugmentShape& shape, const AugmentProgram& program,
                                    const AugmentDraws& draws, std::int64_t step,
                                    std::int64_t row_begin, const std::vector<std::uint8_t>& images,
                                    const std::vector<std::int64_t>& indices);

// The places of the operations that apply to a row, in their order.
std::vector<std::int32_t> applied(const AugmentProgram& program, const AugmentDraws& draws,
                                  std::int64_t step, std::int64_t row);

}  // namespace gradflip::reference
