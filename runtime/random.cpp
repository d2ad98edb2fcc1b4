#include "runtime/random.h"

#include <cmath>
#include <numbers>

#include "kernels/philox.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr std::uint32_t kInitialisers = 0x696E6974U;  // "init"

}  // namespace

std::uint32_t stream_of(std::string_view name) {
  std::uint32_t hash = 2166136261U;
  for (const char byte : name) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619U;
  return hash;
}

std::uint32_t random_bits(std::uint64_t seed, std::uint32_t stream, std::uint64_t index) {
  const std::uint64_t block = index / 4;
  const PhiloxCounter counter = {static_cast<std::uint32_t>(block),
                                 static_cast<std::uint32_t>(block >> 32U), stream, kInitialisers};
  const PhiloxKey key = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)};
  return philox4x32(counter, key)[index % 4];
}

float uniform01(std::uint64_t seed, std::uint32_t stream, std::uint64_t index) {
  return static_cast<float>(random_bits(seed, stream, index) >> 8U) * 0x1p-24F;
}

float uniform(std::uint64_t seed, std::uint32_t stream, std::uint64_t index, float low,
              float high) {
  GRADFLIP_REQUIRE(std::isfinite(low) && std::isfinite(high) && low <= high,
                   message("uniform: the interval is from ", low, " to ", high));
  return low + (high - low) * uniform01(seed, stream, index);
}

float normal(std::uint64_t seed, std::uint32_t stream, std::uint64_t index, float deviation) {
  GRADFLIP_REQUIRE(std::isfinite(deviation) && deviation >= 0.0F,
                   message("normal: the deviation is ", deviation));
  const std::uint64_t even = index & ~std::uint64_t{1};
  const auto u = (static_cast<double>(random_bits(seed, stream, even)) + 1.0) * 0x1p-32;
  const auto v = static_cast<double>(random_bits(seed, stream, even + 1)) * 0x1p-32;
  const double radius = std::sqrt(-2.0 * std::log(u)), angle = 2.0 * std::numbers::pi * v;
  const double number = radius * (index == even ? std::cos(angle) : std::sin(angle));
  return static_cast<float>(static_cast<double>(deviation) * number);
}

float truncated_normal(std::uint64_t seed, std::uint32_t stream, std::uint64_t index,
                       float deviation) {
  constexpr std::uint32_t kNextStream = 0x9E3779B9U;
  for (;; stream += kNextStream) {
    const float number = normal(seed, stream, index, deviation);
    if (std::abs(number) <= 2.0F * deviation) return number;
  }
}

}  // namespace gradflip
