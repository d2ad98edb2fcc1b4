#include "tests/support/random_data.h"

#include <random>
#include <utility>

namespace gradflip {
namespace {

// The standard fixes the engine's bits but not those of its distributions, so the mapping is here.
// The modulo's bias is below 2^-32 for the limits that tests use.
std::uint64_t below(std::mt19937_64& engine, std::uint64_t limit) { return engine() % limit; }

}  // namespace

std::vector<float> random_floats(std::int64_t size, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<float> values(static_cast<std::size_t>(size));
  for (float& value : values) value = static_cast<float>(engine() >> 40U) * 0x1p-23F - 1.0F;
  return values;
}

std::vector<float> separated_floats(std::int64_t size, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<float> values(static_cast<std::size_t>(size));
  // Steps of 2/(size + 1); an odd count has one in the middle, which half a unit moves off zero.
  const double shift = size % 2 == 0 ? 0.0 : 0.5;
  for (std::int64_t i = 0; i < size; ++i) {
    const double position = static_cast<double>(2 * i + 1 - size) + shift;
    values[i] = static_cast<float>(position / static_cast<double>(size + 1));
  }
  for (std::size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[below(engine, i)]);
  return values;
}

std::vector<std::int32_t> random_labels(std::int64_t size, std::int64_t num_classes,
                                        std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(size));
  for (std::int32_t& label : labels) label = static_cast<std::int32_t>(below(engine, num_classes));
  return labels;
}

std::vector<std::uint8_t> random_bytes(std::int64_t size, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(engine() >> 56U);
  return bytes;
}

}  // namespace gradflip
