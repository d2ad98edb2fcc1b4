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
#include <functional>
#include <string>
#include <vector>

#include "models/data/domain_data.h"

namespace gradflip {

enum class Blend { kDifference, kInvert };

// The photographs that serve each part, in the order that patches count them.
struct Photographs {
  std::vector<std::filesystem::path> train, test;
  std::vector<std::string> notes;  // what the user should know about their choice
};

// Lists folder/train and folder/test as `blend` uses them. If `folder` has neither, its own
// photographs serve for both parts, and a note says so. Throws DataError and IoError.
Photographs list_photographs(const std::filesystem::path& folder, Blend blend);

// Throws DataError that names the folder `name` if MNIST-M cannot be made of its digits because
// they are in colour.
void require_grey(const LabelledImages& digits, const std::string& name);

struct MnistM {
  LabelledImages train, test;
};

// Colour pictures of the digits' own size and order: whoever needs another size fits the result
// (fit_to), never the digits, so that there is one MNIST-M of any digits and photographs.
//
// Photographs are read one at a time, whether any digit lies over them or not, so that what is
// accepted does not depend on the seed; memory is the result and what decoding one photograph
// takes. What `before_each_photograph` throws ends the building. Throws DataError if a photograph
// is malformed or smaller than a digit, IoError if one cannot be read, std::invalid_argument if the
// digits are not grey or a part has no photograph.
MnistM build_mnist_m(
    const LabelledImages& train_digits, const LabelledImages& test_digits,
    const Photographs& photographs, Blend blend, std::uint64_t seed,
    const std::function<void()>& before_each_photograph = [] {});

}  // namespace gradflip
