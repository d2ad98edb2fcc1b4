#include "runtime/shape.h"

#include "kernels/require.h"

namespace gradflip {

std::int64_t bytes_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::kU8:
      return 1;
    case Dtype::kF32:
    case Dtype::kI32:
      return 4;
    case Dtype::kI64:
      break;
  }
  return 8;
}

std::string name_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::kU8:
      return "u8";
    case Dtype::kF32:
      return "f32";
    case Dtype::kI32:
      return "i32";
    case Dtype::kI64:
      break;
  }
  return "i64";
}

Shape::Shape(std::initializer_list<std::int64_t> extents)
    : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const std::int64_t> extents) {
  GRADFLIP_REQUIRE(extents.size() <= kMaxRank,
                   message("shape: rank ", extents.size(), " is more than ", int{kMaxRank}));
  std::int64_t size = 1;
  for (const std::int64_t extent : extents) {
    GRADFLIP_REQUIRE(extent >= 0, message("shape: extent ", extent, " is negative"));
    GRADFLIP_REQUIRE(extent == 0 || size <= (std::int64_t{1} << 62) / extent,
                     "shape: more than 2^62 elements");
    size *= extent == 0 ? 1 : extent;
    extents_[static_cast<std::size_t>(rank_++)] = extent;
  }
}

std::int64_t Shape::size() const {
  std::int64_t size = 1;
  for (int axis = 0; axis < rank_; ++axis) size *= (*this)[axis];
  return size;
}

std::string Shape::text() const {
  std::string text = "(";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string((*this)[axis]);
  }
  return text + ")";
}

}  // namespace gradflip
