// MNIST-M: digits blended over patches of photographs (Ganin et al., JMLR 17, 2016, section 5.2).
// Two data sets go by that name, and which one is used moves the accuracy of a DANN by points.
//
//   difference   |photo - digit| with grey digits, the paper's formula; training digits over
//                photographs from the train folder, test digits over those from the test folder.
//   invert       255 - photo wherever the digit has any ink (a byte above 0), photo elsewhere: what
//                the published files hold, down to ink of 1; photographs from the train folder for
//                both parts, as published.
//
// The patch of a digit is a function of (seed, part, index of the digit) and the photographs'
// sizes, the same for both blends and on every platform. With photographs in JPEG the bytes also
// depend on the decoder (image_file.h); sums are pinned in the test for the one in use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/domain_data.h"

namespace gradflip {

enum class Blend { kDifference, kInvert };

struct Photographs {
  std::vector<Images> train, test;  // one picture of 3 channels each
  std::string note;                 // what the user should know about their choice, or ""
};

// Reads folder/train and folder/test as `blend` uses them. If `folder` has neither, its own
// photographs serve for both parts, and the note says so. Throws DataError and IoError.
Photographs read_photographs(const std::filesystem::path& folder, Blend blend);

struct MnistM {
  LabelledImages train, test;
};

// Colour pictures of the digits' size and order. Throws DataError if the digits are not grey or a
// photograph is smaller than a digit, std::invalid_argument if there is no photograph.
MnistM build_mnist_m(const LabelledImages& train_digits, const LabelledImages& test_digits,
                     const Photographs& photographs, Blend blend, std::uint64_t seed);

}  // namespace gradflip
