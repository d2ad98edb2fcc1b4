// Pictures of a domain. What training may see is a matter of type: a target's training set is
// UnlabelledImages, which has no labels to leak; only evaluation and the train-on-target bound take
// LabelledImages.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/data/samples.h"
#include "runtime/graph.h"

namespace gradflip {

// The batch's segments: source samples first, then target samples.
inline constexpr int kSource = 0;
inline constexpr int kTarget = 1;
inline constexpr Rows kSourceRows = segment_rows(kSource);
inline constexpr Rows kTargetRows = segment_rows(kTarget);
inline constexpr Rows kBothRows = {kSourceRows.mask | kTargetRows.mask};

// count pictures of height x width x channels bytes, NHWC: 1 channel is grey, 3 are R, G, B, and
// any others are the caller's.
struct Images {
  std::int64_t count = 0, height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;

  std::int64_t pixels_per_image() const { return height * width; }
  std::int64_t bytes_per_image() const { return height * width * channels; }
};

struct UnlabelledImages {
  Images images;
};

struct LabelledImages {
  Images images;
  std::vector<std::int32_t> labels;  // (count), each in [0, num_classes)
  std::int64_t num_classes = 10;     // 1 to kMaxClasses

  // The same pictures for training that must not know the labels.
  UnlabelledImages without_labels() const { return {images}; }
};

// The pictures, which must be valid and outlive it.
Samples samples_of(const Images& images);

// What is wrong with the data, one line that begins with `what`: sizes and contents disagree, or a
// label is out of range. Empty if nothing is.
std::string fault_of(const Images& images, const std::string& what);
std::string fault_of(const LabelledImages& data, const std::string& what);

// Throws std::invalid_argument with the fault, if there is one.
void require_valid(const Images& images, const std::string& what);
void require_valid(const LabelledImages& data, const std::string& what);

// The mean of each of `channels` channels over all pixels of all the sets together, in units of a
// byte. A grey set counts for every channel, others have so many. Exact: sums are integers.
std::vector<float> channel_means(const std::vector<const Images*>& sets, std::int64_t channels);

}  // namespace gradflip
