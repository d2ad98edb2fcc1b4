// Folders of digits as MNIST is published: images and labels of a training and a test part.
//
//   train-images-idx3-ubyte   grey pictures (count, height, width)
//   train-images-idx4-ubyte   or colour pictures (count, height, width, 3), R G B
//   train-labels-idx1-ubyte   digits 0 to 9
//   t10k-*, or test-*         the test part, optional
//
// in any case, with or without .gz, with dots or underscores for dashes (train-images.idx3-ubyte),
// or in a folder of the file's own name; in the folder itself, or below it in raw or NAME/raw. A
// file may be there several times as long as all hold the same. Files are known by their own names,
// whatever the folders above are called.
//
// Readers throw DataError if a file is missing, malformed, there twice with different contents or
// does not go with the others, and IoError if one cannot be read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/data/domain_data.h"

namespace gradflip {

LabelledImages read_train(const std::filesystem::path& folder);

// Does not open the label file, and needs none.
UnlabelledImages read_train_unlabelled(const std::filesystem::path& folder);

// Whether there is anything of a test part: images, labels or both. One without the other is half a
// download, which read_test names.
bool has_test(const std::filesystem::path& folder);
LabelledImages read_test(const std::filesystem::path& folder);

// Neither opens a label file.
bool has_train_labels(const std::filesystem::path& folder);
bool has_test_labels(const std::filesystem::path& folder);

// Writes the plain files train-* and t10k-* of both parts; makes the folder if need be. Each file
// is complete or not there. Throws DataError, before anything is written, if the folder holds files
// of another form, which would make it ambiguous, or none but a set below it, which the new one
// would hide; files of the same names are replaced.
void write_digit_folder(const std::filesystem::path& folder, const LabelledImages& train,
                        const LabelledImages& test);

// The files that write_digit_folder writes for pictures of so many channels: images and labels of
// the training part, then of the test part.
std::vector<std::filesystem::path> digit_folder_files(const std::filesystem::path& folder,
                                                      std::int64_t channels);

// Throws what write_digit_folder would for pictures of so many channels, as far as it shows before
// they are there: files of another form, a place that takes no folder or no files. Leaves nothing
// behind.
void require_writable_digit_folder(const std::filesystem::path& folder, std::int64_t channels);

// The SHA-256 of the image file followed by, for labelled ones, that of the labels, as plain IDX:
// `cat train-images-idx3-ubyte train-labels-idx1-ubyte | sha256sum` of the same pictures.
std::string content_sha256(const Images& images);
std::string content_sha256(const LabelledImages& data);

}  // namespace gradflip
