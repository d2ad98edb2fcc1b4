// Where the files of a folder of digits are: digit_folder.h has the names and places that are
// known.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace gradflip {

// The words that a name is made of, the first of each as we write it: train-images-idx3-ubyte.
inline const std::vector<std::string> kTrain = {"train"};
inline const std::vector<std::string> kTest = {"t10k", "test"};
inline const std::vector<std::string> kImages = {"images-idx3-ubyte", "images-idx4-ubyte"};
inline const std::vector<std::string> kLabels = {"labels-idx1-ubyte"};

// Every name in our own form that a file of this part and kind may have.
std::vector<std::string> digit_file_names(const std::vector<std::string>& parts,
                                          const std::vector<std::string>& kinds);

// Where below `folder` there are sets: in raw and NAME/raw. Throws as list_folder does.
std::vector<std::filesystem::path> places_below(const std::filesystem::path& folder);

// Where in or below `folder` its set lies, or else the folder itself. Throws DataError if there is
// no such folder, or sets in several places below it, IoError if one cannot be read.
std::filesystem::path place_of_digits(const std::filesystem::path& folder);

// Whether `place` holds any file of digits.
bool holds_digits(const std::filesystem::path& place);

// The files of this part and kind in `place` itself, and in folders of such a name in it; sorted.
std::vector<std::filesystem::path> digit_files_in(const std::filesystem::path& place,
                                                  const std::vector<std::string>& parts,
                                                  const std::vector<std::string>& kinds);

}  // namespace gradflip
