// Sizes and element types of tensors.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace gradflip {

enum class Dtype : std::uint8_t { kF32, kU8, kI32, kI64 };

std::int64_t bytes_of(Dtype dtype);
std::string name_of(Dtype dtype);

// Up to four extents. Rank 0 is a scalar of size 1.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  // Throws std::invalid_argument for more than kMaxRank or negative extents, or a size past 2^62.
  Shape(std::initializer_list<std::int64_t> extents);
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  std::int64_t size() const;
  std::string text() const;  // "(28, 28, 3)"

  friend bool operator==(const Shape& a, const Shape& b) = default;

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

}  // namespace gradflip
