// The network works on 2 * half_bits bits, at least as many as size - 1 has, so less than four
// evaluations are needed on average. Round function: the low half_bits bits of word 0 of
//   philox4x32(counter = {right half, epoch, stream, 0x73616D00 + round}, key = seed)
// whose last counter word keeps sampling apart from other uses of the same seed. The epoch enters
// modulo 2^32.
#include "kernels/sampling.h"

#include <bit>

#include "kernels/philox.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr std::uint32_t kPurpose = 0x73616D00U;
// Four rounds make a Feistel network a strong pseudo-random permutation (Luby & Rackoff, 1988) of
// wide words. Halves of one or two bits need eight before every order of a tiny set is about
// equally likely: of five pictures' 120 orders the commonest came 3.1 times too often after four
// rounds, 1.6 times after six, 1.2 times after eight, and more rounds changed nothing.
constexpr std::uint32_t kRounds = 8;

class EpochOrder {
 public:
  EpochOrder(const Sampler& sampler, std::int64_t epoch)
      : size_(static_cast<std::uint64_t>(sampler.size)),
        half_bits_((static_cast<int>(std::bit_width(size_ - 1)) + 1) / 2),
        mask_((std::uint64_t{1} << half_bits_) - 1),
        epoch_(static_cast<std::uint32_t>(epoch)),
        stream_(sampler.stream),
        key_{static_cast<std::uint32_t>(sampler.seed),
             static_cast<std::uint32_t>(sampler.seed >> 32U)} {}

  std::int64_t operator[](std::int64_t place) const {
    auto value = static_cast<std::uint64_t>(place);
    do {
      value = permute(value);
    } while (value >= size_);
    return static_cast<std::int64_t>(value);
  }

 private:
  std::uint64_t permute(std::uint64_t value) const {
    std::uint64_t left = value >> half_bits_;
    std::uint64_t right = value & mask_;
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      const PhiloxCounter counter = {static_cast<std::uint32_t>(right), epoch_, stream_,
                                     kPurpose + round};
      const std::uint64_t mixed = left ^ (philox4x32(counter, key_)[0] & mask_);
      left = right;
      right = mixed;
    }
    return left << half_bits_ | right;
  }

  std::uint64_t size_;
  int half_bits_;  // 0 for one picture; at most 32, as a half has to fit a counter word
  std::uint64_t mask_;
  std::uint32_t epoch_;
  std::uint32_t stream_;
  PhiloxKey key_;
};

void require_valid(const Sampler& sampler) {
  GRADFLIP_REQUIRE(sampler.size > 0,
                   message("sampling: the data set has ", sampler.size, " pictures, must be > 0"));
}

}  // namespace

std::int64_t sample_index(const Sampler& sampler, std::int64_t position) {
  require_valid(sampler);
  GRADFLIP_REQUIRE(position >= 0, message("sampling: position is ", position, ", must be >= 0"));
  const std::int64_t place = position % sampler.size;
  return sampler.shuffle ? EpochOrder(sampler, position / sampler.size)[place] : place;
}

void sample_indices(Cpu /*ctx*/, const Sampler& sampler, const std::int64_t* step,
                    std::int64_t row_begin, std::int64_t count, std::int64_t* indices) {
  require_valid(sampler);
  GRADFLIP_REQUIRE(sampler.batch > 0 && row_begin >= 0 && count >= 0,
                   message("sampling: batch is ", sampler.batch, " (> 0), row_begin ", row_begin,
                           " (>= 0), count ", count, " (>= 0)"));
  const std::int64_t first = *step * sampler.batch + row_begin;
  for (std::int64_t i = 0; i < count; ++i) indices[i] = sample_index(sampler, first + i);
}

}  // namespace gradflip
