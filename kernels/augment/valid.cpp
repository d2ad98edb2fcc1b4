// What programs, pictures and draws may be, on every backend.
#include "kernels/augment.h"
#include "kernels/require.h"

namespace gradflip {

AugmentBounds augment_bounds(AugmentKind kind) {
  constexpr std::int32_t kOne = 1 << 16;
  switch (kind) {
    case AugmentKind::kShift:
      return {-kMaxAugmentedSide, kMaxAugmentedSide};
    case AugmentKind::kRotate:
      return {-kOne / 2, kOne / 2};
    case AugmentKind::kShear:
    case AugmentKind::kTranslate:
    case AugmentKind::kChannels:
      return {-kOne, kOne};
    case AugmentKind::kScale:
      return {kOne / 16, 16 * kOne};
    case AugmentKind::kContrast:
    case AugmentKind::kBrightness:
      return {0, 16 * kOne};
    case AugmentKind::kSolarize:
    case AugmentKind::kBlur:
      return {0, 256};
    case AugmentKind::kPosterize:
      return {0, 7};
    case AugmentKind::kCutout:
      return {0, kMaxAugmentedSide};
    case AugmentKind::kNoise:
      return {0, kOne};
    case AugmentKind::kFlipHorizontal:
    case AugmentKind::kFlipVertical:
    case AugmentKind::kInvert:
    case AugmentKind::kSome:
      break;
  }
  return {0, 0};
}

void require_valid(const AugmentProgram& program) {
  GRADFLIP_REQUIRE(program.size >= 0 && program.size <= AugmentProgram::kMaxSize,
                   message("augment: a program of ", program.size, " operations; 0 to ",
                           AugmentProgram::kMaxSize, " are possible"));
  std::int32_t members = 0;  // of the group that is open
  for (std::int32_t place = 0; place < program.size; ++place) {
    const AugmentOperation& operation = program.operations[static_cast<std::size_t>(place)];
    const AugmentBounds bounds = augment_bounds(operation.kind);
    GRADFLIP_REQUIRE(
        operation.low >= bounds.low && operation.low <= operation.high &&
            operation.high <= bounds.high,
        message("augment: operation ", place, " draws from [", operation.low, ", ", operation.high,
                "], which must lie within [", bounds.low, ", ", bounds.high, "]"));
    GRADFLIP_REQUIRE(operation.probability >= 0 && operation.probability <= kAlwaysAugment,
                     message("augment: operation ", place, " has the probability ",
                             operation.probability, ", of 0 to ", kAlwaysAugment));
    if (operation.kind != AugmentKind::kSome) {
      members -= members > 0 ? 1 : 0;
      continue;
    }
    GRADFLIP_REQUIRE(members == 0, message("augment: group ", place, " stands in another"));
    members = operation.members;
    GRADFLIP_REQUIRE(operation.choose <= members && members <= AugmentProgram::kMaxMembers &&
                         place + members < program.size,
                     message("augment: group ", place, " chooses ", int{operation.choose}, " of ",
                             members, " operations; at most ", AugmentProgram::kMaxMembers,
                             " follow, and no more are chosen"));
  }
}

void require_valid(const AugmentShape& shape) {
  const auto within = [](std::int64_t value, std::int64_t most) {
    return value > 0 && value <= most;
  };
  GRADFLIP_REQUIRE(
      shape.count >= 0 && within(shape.H, kMaxAugmentedSide) && within(shape.W, kMaxAugmentedSide),
      message("augment: ", shape.count, " pictures of ", shape.H, "x", shape.W, "; sides are 1 to ",
              kMaxAugmentedSide));
  GRADFLIP_REQUIRE(
      within(shape.channels, kMaxAugmentedChannels) &&
          (shape.stored_channels == 1 || shape.stored_channels == shape.channels),
      message("augment: pictures of ", shape.stored_channels, " channels for ", shape.channels,
              "; 1 to ", kMaxAugmentedChannels, " are possible, and stored are 1 or all"));
}

void require_valid(const AugmentDraws& draws) {
  constexpr std::uint32_t kEnd = 256;
  GRADFLIP_REQUIRE(
      draws.stream < kEnd && draws.view < kEnd,
      message("augment: stream ", draws.stream, " and view ", draws.view, " must be below ", kEnd));
}

}  // namespace gradflip
