// Images, labels and initial weights that two programs can make for themselves, bit for bit: tests
// here and scripts/torch_trace.py. Integer arithmetic, then operations that IEEE 754 rounds
// correctly.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gradflip::trace {

inline constexpr std::size_t kImagesPerDomain = 8;
inline constexpr std::size_t kImageBytes = 28 * 28 * 3;
inline constexpr int kSteps = 10;
inline constexpr double kChannelMean = 128.0;  // the network sees (byte - kChannelMean) / 255

// Streams of hash() beside those of the weights, which are their places in a network's list.
inline constexpr std::uint32_t kSourceImages = 100, kTargetImages = 101, kSourceLabels = 102;

// The finalizer of MurmurHash3 over a mix of both numbers.
inline std::uint32_t hash(std::uint32_t stream, std::uint32_t index) {
  std::uint32_t h = index + stream * 0x9E3779B9U;
  h ^= h >> 16U;
  h *= 0x85EBCA6BU;
  h ^= h >> 13U;
  h *= 0xC2B2AE35U;
  h ^= h >> 16U;
  return h;
}

// (kImagesPerDomain, 28, 28, 3), NHWC. The target's contrast is half the source's.
inline std::vector<std::uint8_t> source_images() {
  std::vector<std::uint8_t> bytes(kImagesPerDomain * kImageBytes);
  for (std::uint32_t index = 0; index < bytes.size(); ++index) {
    bytes[index] = static_cast<std::uint8_t>(hash(kSourceImages, index) % 256U);
  }
  return bytes;
}

inline std::vector<std::uint8_t> target_images() {
  std::vector<std::uint8_t> bytes(kImagesPerDomain * kImageBytes);
  for (std::uint32_t index = 0; index < bytes.size(); ++index) {
    bytes[index] = static_cast<std::uint8_t>(64U + hash(kTargetImages, index) % 128U);
  }
  return bytes;
}

inline std::vector<std::int32_t> source_labels() {
  std::vector<std::int32_t> labels(kImagesPerDomain);
  for (std::uint32_t index = 0; index < labels.size(); ++index) {
    labels[index] = static_cast<std::int32_t>(hash(kSourceLabels, index) % 10U);
  }
  return labels;
}

struct WeightBlock {
  std::string name;
  std::vector<std::int64_t> shape;  // in PyTorch's conventions
  int fan_in = 0;
  double centre = 0.0;
};
using WeightBlocks = std::vector<WeightBlock>;

// The paper's network.
inline const WeightBlocks& paper_weight_blocks() {
  static const WeightBlocks blocks = {
      {"feature_extractor.conv1.weight", {32, 3, 5, 5}, 75},
      {"feature_extractor.conv1.bias", {32}, 75},
      {"feature_extractor.conv2.weight", {48, 32, 5, 5}, 800},
      {"feature_extractor.conv2.bias", {48}, 800},
      {"label_predictor.fc1.weight", {100, 768}, 768},
      {"label_predictor.fc1.bias", {100}, 768},
      {"label_predictor.fc2.weight", {100, 100}, 100},
      {"label_predictor.fc2.bias", {100}, 100},
      {"label_predictor.fc3.weight", {10, 100}, 100},
      {"label_predictor.fc3.bias", {10}, 100},
      {"domain_classifier.fc1.weight", {100, 768}, 768},
      {"domain_classifier.fc1.bias", {100}, 768},
      {"domain_classifier.fc2.weight", {1, 100}, 100},
      {"domain_classifier.fc2.bias", {1}, 100},
  };
  return blocks;
}

// fungtion's, with scales around 1 and shifts around 0 for batch normalisation.
inline const WeightBlocks& fungtion_weight_blocks() {
  static const WeightBlocks blocks = {
      {"feature_extractor.conv1.weight", {64, 3, 5, 5}, 75},
      {"feature_extractor.bn1.weight", {64}, 16, 1.0},
      {"feature_extractor.bn1.bias", {64}, 100},
      {"feature_extractor.conv2.weight", {50, 64, 5, 5}, 1600},
      {"feature_extractor.bn2.weight", {50}, 16, 1.0},
      {"feature_extractor.bn2.bias", {50}, 100},
      {"label_predictor.fc1.weight", {100, 800}, 800},
      {"label_predictor.bn1.weight", {100}, 16, 1.0},
      {"label_predictor.bn1.bias", {100}, 100},
      {"label_predictor.fc2.weight", {100, 100}, 100},
      {"label_predictor.bn2.weight", {100}, 16, 1.0},
      {"label_predictor.bn2.bias", {100}, 100},
      {"label_predictor.fc3.weight", {10, 100}, 100},
      {"label_predictor.fc3.bias", {10}, 100},
      {"domain_classifier.fc1.weight", {100, 800}, 800},
      {"domain_classifier.bn1.weight", {100}, 16, 1.0},
      {"domain_classifier.bn1.bias", {100}, 100},
      {"domain_classifier.fc2.weight", {2, 100}, 100},
      {"domain_classifier.fc2.bias", {2}, 100},
  };
  return blocks;
}

// The values of blocks[block], uniform in centre +-1/sqrt(fan_in): in double, then rounded to
// float.
inline std::vector<float> initial_weights(const WeightBlocks& blocks, std::uint32_t block) {
  const WeightBlock& description = blocks[block];
  std::size_t size = 1;
  for (const std::int64_t extent : description.shape) size *= static_cast<std::size_t>(extent);
  const double bound = 1.0 / std::sqrt(static_cast<double>(description.fan_in));
  std::vector<float> values(size);
  for (std::uint32_t index = 0; index < size; ++index) {
    const double uniform = static_cast<double>(hash(block, index) >> 8U) * 0x1p-24;
    values[index] = static_cast<float>(description.centre + (2.0 * uniform - 1.0) * bound);
  }
  return values;
}

}  // namespace gradflip::trace
