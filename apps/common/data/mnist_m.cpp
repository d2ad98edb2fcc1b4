#include "apps/common/data/mnist_m.h"

#include <fmt/format.h>

#include <cstdlib>
#include <functional>

#include "apps/common/data/folder.h"
#include "apps/common/data/image_file.h"
#include "apps/common/data/image_folder.h"
#include "kernels/philox.h"
#include "kernels/require.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kStream = 0x6D6E736DU;  // "mnsm"; apart from other uses of the same seed

enum class Part : std::uint32_t { kTrain = 0, kTest = 1 };

// Uniform in [0, bound) up to bound / 2^32: the upper half of a product, not a remainder.
std::int64_t below(std::uint32_t bits, std::int64_t bound) {
  return static_cast<std::int64_t>((std::uint64_t{bits} * static_cast<std::uint64_t>(bound)) >>
                                   32U);
}

// The random words of one digit: which photograph, and where in it.
PhiloxCounter bits_of(std::uint64_t seed, Part part, std::int64_t digit) {
  const auto n = static_cast<std::uint64_t>(digit);
  return philox4x32({static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(n >> 32U),
                     static_cast<std::uint32_t>(part), kStream},
                    {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
}

std::uint8_t blended(Blend blend, int photo, int ink) {
  if (blend == Blend::kInvert) return static_cast<std::uint8_t>(ink > 0 ? 255 - photo : photo);
  return static_cast<std::uint8_t>(std::abs(photo - ink));
}

// One part of the set while its photographs come by.
class PartBuilder {
 public:
  PartBuilder(const LabelledImages& digits, std::int64_t photograph_count, Blend blend,
              std::uint64_t seed, Part part)
      : digits_(digits.images), blend_(blend), seed_(seed), part_(part) {
    require_valid(digits, "build_mnist_m: the digits");
    GRADFLIP_REQUIRE(photograph_count > 0, "build_mnist_m: there are no photographs");
    GRADFLIP_REQUIRE(digits_.channels == 1, "build_mnist_m: the digits are not grey");
    digits_over_.resize(static_cast<std::size_t>(photograph_count));
    for (std::int64_t n = 0; n < digits_.count; ++n) {
      const std::int64_t photograph = below(bits_of(seed, part, n)[0], photograph_count);
      digits_over_[static_cast<std::size_t>(photograph)].push_back(n);
    }
    built_.labels = digits.labels;
    built_.num_classes = digits.num_classes;
    built_.images = {digits_.count, digits_.height, digits_.width, 3, {}};
    built_.images.pixels.resize(
        static_cast<std::size_t>(digits_.count * built_.images.bytes_per_image()));
  }

  // Draws the digits that lie over photograph k; `name` stands for it in messages.
  void add(std::size_t k, const Images& photograph, const std::string& name) {
    if (photograph.height < digits_.height || photograph.width < digits_.width) {
      throw DataError(fmt::format("{}: {}x{} pixels, smaller than the digits of {}x{}; remove it",
                                  name, photograph.height, photograph.width, digits_.height,
                                  digits_.width));
    }
    for (const std::int64_t n : digits_over_[k]) draw(n, photograph);
  }

  LabelledImages take() { return std::move(built_); }

 private:
  void draw(std::int64_t n, const Images& photograph) {
    const PhiloxCounter bits = bits_of(seed_, part_, n);
    const std::int64_t top = below(bits[1], photograph.height - digits_.height + 1);
    const std::int64_t left = below(bits[2], photograph.width - digits_.width + 1);
    auto ink = digits_.pixels.begin() + n * digits_.bytes_per_image();
    auto to = built_.images.pixels.begin() + n * built_.images.bytes_per_image();
    for (std::int64_t h = 0; h < digits_.height; ++h) {
      auto photo = photograph.pixels.begin() + ((top + h) * photograph.width + left) * 3;
      for (std::int64_t w = 0; w < digits_.width; ++w, ++ink) {
        for (int c = 0; c < 3; ++c) *to++ = blended(blend_, *photo++, *ink);
      }
    }
  }

  const Images& digits_;
  Blend blend_;
  std::uint64_t seed_;
  Part part_;
  std::vector<std::vector<std::int64_t>> digits_over_;  // [photograph], ascending
  LabelledImages built_;
};

// Reads each photograph once and shows it to all of the parts.
void add_all(const std::vector<fs::path>& photographs, const std::vector<PartBuilder*>& parts,
             const std::function<void()>& before_each) {
  for (std::size_t k = 0; k < photographs.size(); ++k) {
    before_each();
    const Images photograph = read_image(photographs[k]);
    for (PartBuilder* part : parts) part->add(k, photograph, photographs[k].string());
  }
}

std::vector<fs::path> list_part(const fs::path& folder, std::vector<std::string>& notes) {
  ImageFolder images = list_images(folder);
  if (images.note) notes.push_back(*images.note);
  return std::move(images.paths);
}

}  // namespace

Photographs list_photographs(const fs::path& folder, Blend blend) {
  Photographs photographs;
  std::vector<std::string>& notes = photographs.notes;
  if (!is_folder(folder / "train") && !is_folder(folder / "test")) {
    photographs.train = list_part(folder, notes);
    photographs.test = photographs.train;
    notes.push_back(
        fmt::format("{} has no folders train and test: all {} photographs serve both"
                    " parts",
                    folder.string(), photographs.train.size()));
    return photographs;
  }
  photographs.train = list_part(folder / "train", notes);
  photographs.test =
      blend == Blend::kInvert ? photographs.train : list_part(folder / "test", notes);
  return photographs;
}

void require_grey(const LabelledImages& digits, const std::string& name) {
  if (digits.images.channels == 1) return;
  throw DataError(
      fmt::format("{}: its digits are in colour, and MNIST-M is made of grey ones; name "
                  "another folder",
                  name));
}

MnistM build_mnist_m(const LabelledImages& train_digits, const LabelledImages& test_digits,
                     const Photographs& photographs, Blend blend, std::uint64_t seed,
                     const std::function<void()>& before_each_photograph) {
  PartBuilder train(train_digits, std::ssize(photographs.train), blend, seed, Part::kTrain);
  PartBuilder test(test_digits, std::ssize(photographs.test), blend, seed, Part::kTest);
  if (photographs.train == photographs.test) {
    add_all(photographs.train, {&train, &test}, before_each_photograph);
  } else {
    add_all(photographs.train, {&train}, before_each_photograph);
    add_all(photographs.test, {&test}, before_each_photograph);
  }
  return {train.take(), test.take()};
}

}  // namespace gradflip
