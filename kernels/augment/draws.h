// The numbers that a row's operations draw, one operation after the other, as kernels/augment.h
// says; the same on every backend.
#pragma once

#include <cstdint>

#include "kernels/augment.h"
#include "kernels/philox.h"

namespace gradflip {

inline constexpr std::uint32_t kAugmentRow = 0x61750000U;   // "au": keeps its counters apart
inline constexpr std::uint32_t kAugmentDraw = 0x64726177U;  // "draw"

// Of the row at this place of its batch.
constexpr PhiloxKey augment_key(const AugmentDraws& draws, std::int64_t step, std::int64_t row) {
  const auto wide = static_cast<std::uint64_t>(step);
  const PhiloxCounter counter = {static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(wide),
                                 static_cast<std::uint32_t>(wide >> 32U),
                                 kAugmentRow + 256U * draws.stream + draws.view};
  const PhiloxKey seed = {static_cast<std::uint32_t>(draws.seed),
                          static_cast<std::uint32_t>(draws.seed >> 32U)};
  const PhiloxCounter words = philox4x32(counter, seed);
  return {words[0], words[1]};
}

// Every integer of [low, high] equally likely, as far as 2^32 words allow.
constexpr std::int32_t number_of(std::uint32_t word, std::int32_t low, std::int32_t high) {
  const std::uint64_t width = static_cast<std::uint64_t>(std::int64_t{high} - low + 1);
  return low + static_cast<std::int32_t>((word * width) >> 32U);
}

// Word w of four by comparisons: an index that only the run knows would put them into a GPU's local
// memory.
constexpr std::uint32_t word_of(const PhiloxCounter& words, std::int32_t w) {
  return w == 0 ? words[0] : w == 1 ? words[1] : w == 2 ? words[2] : words[3];
}

// An operation that applies, with what it drew.
struct DrawnAugment {
  AugmentKind kind = AugmentKind::kShift;
  std::int32_t place = 0;                   // in the program
  std::int32_t number = 0, second = 0;      // right and down, of two
  bool coin = false;                        // along y
  std::uint32_t across = 0, downwards = 0;  // words that place a cutout's centre
};

class AugmentSequence {
 public:
  // The program must outlive it.
  constexpr AugmentSequence(const AugmentProgram& program, PhiloxKey key)
      : program_(program), key_(key) {}

  // The next operation that applies; false when there is none.
  constexpr bool next(DrawnAugment& drawn) {
    while (chosen_ < choose_ || position_ < program_.size) {
      const bool in_group = chosen_ < choose_;
      const std::int32_t place = in_group ? take_member() : position_++;
      const AugmentOperation& operation = program_.operations[static_cast<std::size_t>(place)];
      const PhiloxCounter words = block(place, 0);
      const bool applies = static_cast<std::int32_t>(words[0] >> 16U) < operation.probability;
      if (operation.kind == AugmentKind::kSome) {
        open(place, operation, applies);
        continue;
      }
      if (!applies) continue;
      const bool cutout = operation.kind == AugmentKind::kCutout;
      drawn.kind = operation.kind;
      drawn.place = place;
      drawn.number = number_of(cutout ? words[3] : words[1], operation.low, operation.high);
      drawn.second = number_of(words[2], operation.low, operation.high);
      drawn.coin = (words[3] >> 31U) != 0;
      drawn.across = words[1];
      drawn.downwards = words[2];
      return true;
    }
    return false;
  }

  // Gain and offset of a channel, of a drawn kChannels.
  struct ChannelNumbers {
    std::int32_t gain = 0, offset = 0;
  };
  constexpr ChannelNumbers of_channel(std::int32_t place, std::int32_t c) const {
    const AugmentOperation& operation = program_.operations[static_cast<std::size_t>(place)];
    const PhiloxCounter words = block(place, static_cast<std::uint32_t>(1 + c));
    return {number_of(words[0], operation.low, operation.high),
            number_of(words[1], operation.low, operation.high)};
  }

  // What noise reads: words for bytes 4 * number to 4 * number + 3.
  constexpr PhiloxCounter noise_block(std::int32_t place, std::uint32_t number) const {
    return philox4x32({number, static_cast<std::uint32_t>(place), 1, kAugmentDraw}, key_);
  }

  constexpr PhiloxKey key() const { return key_; }

 private:
  constexpr PhiloxCounter block(std::int32_t place, std::uint32_t number) const {
    return philox4x32({number, static_cast<std::uint32_t>(place), 0, kAugmentDraw}, key_);
  }

  constexpr void open(std::int32_t place, const AugmentOperation& group, bool applies) {
    position_ = place + 1 + group.members;
    group_ = place;
    left_ = group.members;
    chosen_ = 0;
    choose_ = applies ? group.choose : 0;
    members_ = 0xFEDCBA9876543210ULL;
  }

  // The places of the members that are left are the lowest nibbles of a word.
  constexpr std::int32_t take_member() {
    const PhiloxCounter words = block(group_, static_cast<std::uint32_t>(1 + chosen_ / 4));
    const int nibble = 4 * number_of(word_of(words, chosen_ % 4), 0, left_ - 1);
    const std::uint64_t taken = members_ >> nibble & 15U;
    --left_;
    const std::uint64_t last = members_ >> (4 * left_) & 15U;
    members_ ^= (taken ^ last) << nibble;
    ++chosen_;
    return group_ + 1 + static_cast<std::int32_t>(taken);
  }

  const AugmentProgram& program_;
  PhiloxKey key_;
  std::int32_t position_ = 0;  // of the next operation outside of a group
  std::int32_t group_ = 0, left_ = 0, chosen_ = 0, choose_ = 0;
  std::uint64_t members_ = 0;
};

}  // namespace gradflip
