// Division by a number that a launch fixes: the index arithmetic of kernels, where dividing would
// cost more than the work itself.
//
// For 0 <= x < 2^31: floor(x / d) = floor(x * m / 2^(31 + s)), s = ceil(log2(d)),
// m = ceil(2^(31 + s) / d) < 2^32 (Granlund & Montgomery 1994). Larger x are divided.
#pragma once

#include <cstdint>

#include "kernels/bit_width.h"
#include "kernels/cuda/simt.h"
#include "kernels/host_device.h"
#include "kernels/require.h"

namespace gradflip {

struct Quotient {
  std::int64_t quotient, remainder;
};

// Of ints, as indices within an image are.
struct IntQuotient {
  int quotient, remainder;
};

class Divisor {
 public:
  Divisor() = default;

  // Throws std::invalid_argument unless 0 < divisor < 2^31.
  explicit Divisor(std::int64_t divisor) : divisor_(static_cast<std::uint32_t>(divisor)) {
    GRADFLIP_REQUIRE(divisor > 0 && divisor <= INT32_MAX,
                     message("an extent is ", divisor, ", this backend takes 1 to ", INT32_MAX));
    shift_ = static_cast<std::uint32_t>(bit_width(divisor_ - 1));
    const std::uint64_t power = std::uint64_t{1} << (31 + shift_);
    multiplier_ = static_cast<std::uint32_t>((power + divisor_ - 1) / divisor_);
  }

  GRADFLIP_HOST_DEVICE std::int64_t value() const { return divisor_; }

  // x >= 0.
  __device__ __forceinline__ Quotient divide(std::int64_t x) const {
    if (x > INT32_MAX) return {x / divisor_, x % divisor_};
    const std::uint32_t quotient = small_quotient(static_cast<std::uint32_t>(x));
    return {quotient, static_cast<std::uint32_t>(x) - quotient * divisor_};
  }
  // x >= 0. Without a branch, and in 32 bits: for loops.
  __device__ __forceinline__ IntQuotient divide_int(int x) const {
    const auto quotient = static_cast<int>(small_quotient(static_cast<std::uint32_t>(x)));
    return {quotient, x - quotient * static_cast<int>(divisor_)};
  }

 private:
  __device__ __forceinline__ std::uint32_t small_quotient(std::uint32_t x) const {
    return __umulhi(2 * x, multiplier_) >> shift_;
  }

  std::uint32_t divisor_ = 1;
  std::uint32_t multiplier_ = 0x80000000U;
  std::uint32_t shift_ = 0;
};

}  // namespace gradflip
