// Augmentation of pictures of bytes: a program of operations whose numbers are drawn for each row
// of each step.
//
//   y[i] = program(images[indices[i]]), grey pictures (1 stored channel) replicated to `channels`
//
// Everything is computed in integers, so that all backends give the same bits, and every number is
// a function of (seed, stream, view, step, row, operation): rows do not depend on which others are
// computed with them. An operation whose number is 0 (a factor: 1) is the identity, bit for bit.
//
// An operation applies with its probability, and draws its numbers from [low, high], every integer
// equally likely, in units of
//   kShift           pixels to the right, and pixels down; what comes in is reflected
//   kFlipHorizontal  none: mirrors left and right
//   kFlipVertical    none: mirrors top and bottom
//   kRotate          2^-16 of a turn, counterclockwise, about the centre
//   kShear           2^-16: pixels of one axis per pixel of the other, either axis by a coin
//   kTranslate       2^-16 of the width, to the right, and of the height, down
//   kScale           2^-16: magnification about the centre
//   kContrast        2^-16: v becomes 127.5 + number * (v - 127.5)
//   kBrightness      2^-16: v becomes number * v
//   kChannels        2^-16, two numbers g and o for each channel: v becomes
//                    127.5 * (1 + o) + (1 + g) * (v - 127.5)
//   kInvert          none: v becomes 255 - v
//   kSolarize        bytes: v from 256 - number on becomes 255 - v
//   kPosterize       bits: the lowest are cleared
//   kBlur            2^-8 pixels: the standard deviation of five taps across, then down
//   kCutout          pixels: the side of a square that becomes 128, about the zero of most networks'
//                    input; its centre is any pixel, and what is outside of the picture is cut off
//   kNoise           2^-16 of 255: the deviation of what is added to each byte, nearly normal
//   kSome            none: `choose` of the next `members` operations, distinct, any with equal
//                    chance, in the order in which they are drawn; each with its own probability
// Results are rounded to the nearest byte, ties up, and clamped. What a shift or a blur takes from
// beyond the border is reflected about the outermost pixels (c b | a b c | b a), as often as it takes.
// Rotation, shear, translation and scale interpolate between four pixels at positions rounded to
// 1/256, and take the outermost pixel from beyond the border: a reflection would show strokes of a
// digit a second time.
//
// Draws: the row's key is words 0 and 1 of philox4x32(key = seed, counter = {row, step low, step
// high, 0x61750000 + 256 * stream + view}). Word w of block b of operation number p of the program
// is that of philox4x32(key = the row's, counter = {b, p, 0, 0x64726177}):
//   block 0      word 0  applies if its upper 16 bits are below the probability
//                word 1  the number; to the right, of two
//                word 2  the second number: down
//                word 3  its upper bit: the shear is along y
//   block 1 + c  kChannels: words 0 and 1 are g and o of channel c
//   1 + j / 4    kSome: word j % 4 is the place, among members left, of choice j. The last of those
//                left takes the place of the chosen one.
// A word makes a number by low + word * (high - low + 1) / 2^32. kCutout's two words are the centre,
// of the width and the height; its side is word 3. Noise of byte i takes the four bytes of word i %
// 4 of the block i / 4 of counter {i / 4, p, 1, 0x64726177}: their sum, less 510, is nearly normal.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

enum class AugmentKind : std::uint8_t {
  kShift,
  kFlipHorizontal,
  kFlipVertical,
  kRotate,
  kShear,
  kTranslate,
  kScale,
  kContrast,
  kBrightness,
  kChannels,
  kInvert,
  kSolarize,
  kPosterize,
  kBlur,
  kCutout,
  kNoise,
  kSome,
};

inline constexpr std::int32_t kAlwaysAugment = 65'536;  // a probability of 1

struct AugmentOperation {
  AugmentKind kind = AugmentKind::kShift;
  std::uint8_t choose = 0, members = 0;       // of kSome
  std::int32_t probability = kAlwaysAugment;  // in 2^-16
  std::int32_t low = 0, high = 0;
};

// Kernels take it by value.
struct AugmentProgram {
  static constexpr std::int32_t kMaxSize = 40;
  static constexpr int kMaxMembers = 16;

  std::int32_t size = 0;
  std::array<AugmentOperation, kMaxSize> operations{};
};

// The numbers that an operation takes: [low, high] lies within.
struct AugmentBounds {
  std::int32_t low = 0, high = 0;
};
AugmentBounds augment_bounds(AugmentKind kind);

// Who draws: other seeds, streams and views draw other numbers.
struct AugmentDraws {
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;  // below 256: a domain
  std::uint32_t view = 0;    // below 256: of the views of one picture in one step
};

struct AugmentShape {
  std::int64_t count = 0;  // pictures to write; may be 0
  std::int64_t H = 0, W = 0;
  std::int64_t stored_channels = 0;  // 1 or `channels`
  std::int64_t channels = 0;

  constexpr std::int64_t bytes() const { return H * W * channels; }  // of one picture
};

inline constexpr std::int64_t kMaxAugmentedSide = 16'384;
inline constexpr std::int64_t kMaxAugmentedChannels = 4;

// Throw unless the program's numbers are within their bounds and its groups whole; unless sides and
// channels are above 0 and at most the above.
void require_valid(const AugmentProgram& program);
void require_valid(const AugmentShape& shape);
void require_valid(const AugmentDraws& draws);

// What the rows of one launch are made of.
struct AugmentRows {
  AugmentShape shape;
  AugmentDraws draws;
  std::int64_t row_begin = 0;             // the first row's place in its segment's batch
  const std::int64_t* step = nullptr;     // in the context's memory
  const std::uint8_t* images = nullptr;   // (any, H, W, stored_channels)
  const std::int64_t* indices = nullptr;  // (count), trusted to be in range
  std::uint8_t* y = nullptr;              // (count, H, W, channels), overwritten; overlaps no input
};

// workspace: augment_workspace_bytes(ctx, shape), aligned to 64 bytes.
void augment(Cpu ctx, const AugmentRows& rows, const AugmentProgram& program, void* workspace);
void augment(Cuda ctx, const AugmentRows& rows, const AugmentProgram& program, void* workspace);

// On a GPU 0 where a picture fits into a block's shared memory, else as many bytes as the output.
std::int64_t augment_workspace_bytes(Cpu ctx, const AugmentShape& shape);
std::int64_t augment_workspace_bytes(Cuda ctx, const AugmentShape& shape);

}  // namespace gradflip
