#include "apps/common/data/texture.h"

#include <algorithm>
#include <array>

#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr std::size_t kChannels = 3;
constexpr std::size_t kBrightness = kChannels;  // noise that all channels share
constexpr std::int64_t kOctaves = 3;

using Node = std::array<std::int64_t, kChannels + 1>;  // each -128 to 127

// Independent values on a square lattice, bilinear between.
class Noise {
 public:
  Noise(std::int64_t size, std::int64_t cell, DrawingRandom& random)
      : cell_(cell),
        nodes_a_side_(size / cell + 3),
        shift_x_(random.between(0, cell - 1)),
        shift_y_(random.between(0, cell - 1)) {
    nodes_.resize(static_cast<std::size_t>(nodes_a_side_ * nodes_a_side_));
    for (Node& node : nodes_) {
      const std::uint32_t bits = random.bits();
      for (std::size_t c = 0; c < node.size(); ++c) {
        node[c] = static_cast<std::int64_t>(bits >> (8 * c) & 0xffU) - 128;
      }
    }
  }

  Node at(std::int64_t h, std::int64_t w) const {
    const std::int64_t y = h + shift_y_, x = w + shift_x_;
    const std::int64_t below = y % cell_, right = x % cell_;
    const std::size_t corner = static_cast<std::size_t>(y / cell_ * nodes_a_side_ + x / cell_);
    const Node &a = nodes_[corner], &b = nodes_[corner + 1];
    const Node &c = nodes_[corner + static_cast<std::size_t>(nodes_a_side_)],
               &d = nodes_[corner + static_cast<std::size_t>(nodes_a_side_) + 1];
    Node value{};
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::int64_t above = a[i] * (cell_ - right) + b[i] * right;
      const std::int64_t under = c[i] * (cell_ - right) + d[i] * right;
      value[i] = (above * (cell_ - below) + under * below) / (cell_ * cell_);
    }
    return value;
  }

 private:
  std::int64_t cell_, nodes_a_side_, shift_x_, shift_y_;
  std::vector<Node> nodes_;
};

// One mean colour and its noise.
class Material {
 public:
  Material(std::int64_t size, const TextureOptions& options, DrawingRandom& random) {
    const std::int64_t level = random.between(options.min_level, options.max_level);
    for (std::int64_t& mean : means_) {
      mean = level + random.between(-options.max_tint, options.max_tint);
    }
    contrast_ = random.between(options.min_contrast, options.max_contrast);
    std::int64_t cell = random.between(options.min_cell, options.max_cell);
    for (std::int64_t octave = 0; octave < kOctaves; ++octave) {
      octaves_.emplace_back(size, cell, random);
      cell = std::max<std::int64_t>(cell / 2, 1);
    }
  }

  // Weights: octaves 4 : 2 : 1; brightness 3, the channel's own noise 1.
  std::array<std::uint8_t, kChannels> colour(std::int64_t h, std::int64_t w) const {
    std::array<std::int64_t, kChannels> noise{};
    std::int64_t weight = 4;
    for (const Noise& octave : octaves_) {
      const Node value = octave.at(h, w);
      for (std::size_t c = 0; c < kChannels; ++c) {
        noise[c] += weight * (3 * value[kBrightness] + value[c]);
      }
      weight /= 2;
    }
    constexpr std::int64_t kFull = 7 * 4 * 128;  // the sum of the weights times the largest value
    std::array<std::uint8_t, kChannels> colour{};
    for (std::size_t c = 0; c < kChannels; ++c) {
      colour[c] = static_cast<std::uint8_t>(
          std::clamp<std::int64_t>(means_[c] + contrast_ * noise[c] / kFull, 0, 255));
    }
    return colour;
  }

 private:
  std::array<std::int64_t, kChannels> means_{};
  std::int64_t contrast_ = 0;
  std::vector<Noise> octaves_;
};

// One side of a straight line across the picture.
struct HalfPlane {
  std::int64_t normal_x, normal_y, offset;

  HalfPlane(std::int64_t size, DrawingRandom& random)
      : normal_x(random.between(-16, 16)), normal_y(random.between(-16, 16)) {
    // One after the other: the order of calls within an expression is the compiler's choice.
    const std::int64_t through_x = random.between(size / 4, size * 3 / 4);
    const std::int64_t through_y = random.between(size / 4, size * 3 / 4);
    offset = normal_x * through_x + normal_y * through_y;
  }
  bool contains(std::int64_t h, std::int64_t w) const {
    return normal_x * w + normal_y * h > offset;
  }
};

void require_valid(const TextureOptions& options) {
  GRADFLIP_REQUIRE(
      0 <= options.min_level && options.min_level <= options.max_level && options.max_level <= 255,
      message("texture: levels ", options.min_level, " to ", options.max_level));
  GRADFLIP_REQUIRE(0 <= options.max_tint && options.max_tint <= 255,
                   message("texture: tint ", options.max_tint));
  GRADFLIP_REQUIRE(
      0 <= options.min_contrast && options.min_contrast <= options.max_contrast &&
          options.max_contrast <= 1024,
      message("texture: contrast ", options.min_contrast, " to ", options.max_contrast));
  GRADFLIP_REQUIRE(
      1 <= options.min_cell && options.min_cell <= options.max_cell && options.max_cell <= 1024,
      message("texture: cells of ", options.min_cell, " to ", options.max_cell, " pixels"));
  GRADFLIP_REQUIRE(0 <= options.edges_in_16 && options.edges_in_16 <= 16,
                   message("texture: ", options.edges_in_16, " of 16 pictures with an edge"));
}

}  // namespace

std::vector<std::uint8_t> draw_texture(std::int64_t size, const TextureOptions& options,
                                       DrawingRandom& random) {
  GRADFLIP_REQUIRE(size > 0, message("texture: the size is ", size));
  require_valid(options);
  const Material ground(size, options, random);
  const bool has_edge = random.between(0, 15) < options.edges_in_16;
  const Material object = has_edge ? Material(size, options, random) : ground;
  const HalfPlane where(size, random);

  std::vector<std::uint8_t> picture;
  picture.reserve(static_cast<std::size_t>(size * size) * kChannels);
  for (std::int64_t h = 0; h < size; ++h) {
    for (std::int64_t w = 0; w < size; ++w) {
      const auto colour = (where.contains(h, w) ? object : ground).colour(h, w);
      picture.insert(picture.end(), colour.begin(), colour.end());
    }
  }
  return picture;
}

}  // namespace gradflip
