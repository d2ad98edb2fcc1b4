#include "apps/common/data/mnist_m.h"

#include <fmt/format.h>

#include <cstdlib>

#include "apps/common/data/image_folder.h"
#include "kernels/philox.h"
#include "kernels/require.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr std::uint32_t kStream = 0x6D6E736DU;  // "mnsm"; apart from other uses of the same seed

enum class Part : std::uint32_t { kTrain = 0, kTest = 1 };

// Uniform in [0, bound) up to bound / 2^32: the upper half of a product, not a remainder.
std::int64_t below(std::uint32_t bits, std::int64_t bound) {
  return static_cast<std::int64_t>((std::uint64_t{bits} * static_cast<std::uint64_t>(bound)) >>
                                   32U);
}

struct Patch {
  const Images* photograph;
  std::int64_t top, left;
};

Patch patch_for(const std::vector<Images>& photographs, const Images& digits, std::uint64_t seed,
                Part part, std::int64_t index) {
  const auto n = static_cast<std::uint64_t>(index);
  const PhiloxCounter bits =
      philox4x32({static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(n >> 32U),
                  static_cast<std::uint32_t>(part), kStream},
                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
  const Images& photograph =
      photographs[static_cast<std::size_t>(below(bits[0], std::ssize(photographs)))];
  return {&photograph, below(bits[1], photograph.height - digits.height + 1),
          below(bits[2], photograph.width - digits.width + 1)};
}

std::uint8_t blended(Blend blend, int photo, int ink) {
  if (blend == Blend::kInvert) return static_cast<std::uint8_t>(ink > 0 ? 255 - photo : photo);
  return static_cast<std::uint8_t>(std::abs(photo - ink));
}

void require_fitting(const std::vector<Images>& photographs, const Images& digits) {
  GRADFLIP_REQUIRE(!photographs.empty(), "build_mnist_m: there are no photographs");
  if (digits.channels != 1) {
    throw DataError(
        "MNIST-M is made of grey digits, and these have 3 channels; pass another folder");
  }
  for (const Images& photograph : photographs) {
    require_valid(photograph, "build_mnist_m: a photograph");
    GRADFLIP_REQUIRE(photograph.count == 1 && photograph.channels == 3,
                     "build_mnist_m: a photograph is not one colour picture");
    if (photograph.height < digits.height || photograph.width < digits.width) {
      throw DataError(
          fmt::format("a photograph of {}x{} pixels is smaller than the digits of {}x{};"
                      " remove it",
                      photograph.height, photograph.width, digits.height, digits.width));
    }
  }
}

LabelledImages blend_part(const LabelledImages& digits, const std::vector<Images>& photographs,
                          Blend blend, std::uint64_t seed, Part part) {
  require_valid(digits, "build_mnist_m: the digits");
  const Images& from = digits.images;
  require_fitting(photographs, from);
  LabelledImages result;
  result.labels = digits.labels;
  result.num_classes = digits.num_classes;
  result.images = {from.count, from.height, from.width, 3, {}};
  result.images.pixels.reserve(
      static_cast<std::size_t>(from.count * result.images.bytes_per_image()));

  auto ink = from.pixels.begin();
  for (std::int64_t n = 0; n < from.count; ++n) {
    const Patch patch = patch_for(photographs, from, seed, part, n);
    for (std::int64_t h = 0; h < from.height; ++h) {
      auto photo = patch.photograph->pixels.begin() +
                   ((patch.top + h) * patch.photograph->width + patch.left) * 3;
      for (std::int64_t w = 0; w < from.width; ++w, ++ink) {
        for (int c = 0; c < 3; ++c) {
          result.images.pixels.push_back(blended(blend, *photo++, *ink));
        }
      }
    }
  }
  return result;
}

}  // namespace

Photographs read_photographs(const std::filesystem::path& folder, Blend blend) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(folder / "train") && !fs::is_directory(folder / "test")) {
    Photographs all;
    all.train = read_images_in(folder);
    all.test = all.train;
    all.note = fmt::format("{} has no folders train and test: all {} photographs serve both parts",
                           folder.string(), all.train.size());
    return all;
  }
  Photographs photographs;
  photographs.train = read_images_in(folder / "train");
  photographs.test = blend == Blend::kInvert ? photographs.train : read_images_in(folder / "test");
  return photographs;
}

MnistM build_mnist_m(const LabelledImages& train_digits, const LabelledImages& test_digits,
                     const Photographs& photographs, Blend blend, std::uint64_t seed) {
  return {blend_part(train_digits, photographs.train, blend, seed, Part::kTrain),
          blend_part(test_digits, photographs.test, blend, seed, Part::kTest)};
}

}  // namespace gradflip
