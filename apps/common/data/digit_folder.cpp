#include "apps/common/data/digit_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "apps/common/data/digit_files.h"
#include "apps/common/data/folder.h"
#include "apps/common/data/idx.h"
#include "apps/common/data/sha256.h"
#include "kernels/require.h"
#include "runtime/atomic_file.h"
#include "runtime/errors.h"
#include "runtime/io_failure.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;

bool has(const fs::path& folder, const std::vector<std::string>& parts,
         const std::vector<std::string>& kinds) {
  return is_folder(folder) && !digit_files_in(place_of_digits(folder), parts, kinds).empty();
}

struct IdxFile {
  fs::path path;
  IdxArray array;
};

// A file may be there twice, say packed and unpacked, as long as both hold the same.
IdxFile read_the_one_of(const fs::path& folder, const std::vector<std::string>& parts,
                        const std::vector<std::string>& kinds) {
  const fs::path place = place_of_digits(folder);
  const std::vector<fs::path> paths = digit_files_in(place, parts, kinds);
  if (paths.empty()) {
    throw DataError(fmt::format("{}: holds no {}[.gz], but {}; {}", place.string(),
                                digit_file_names(parts, kinds).front(),
                                names_of(list_folder(place)),
                                holds_digits(place) ? "fetch it, too, or name another folder"
                                                    : "check that it is a folder of digits"));
  }
  IdxFile file = {paths.front(), read_idx(paths.front())};
  for (std::size_t i = 1; i < paths.size(); ++i) {
    const IdxArray other = read_idx(paths[i]);
    if (other.sizes != file.array.sizes || other.values != file.array.values) {
      throw DataError(fmt::format("{}: holds both {} and {}, which differ; remove one of them",
                                  folder.string(), paths[0].lexically_relative(folder).string(),
                                  paths[i].lexically_relative(folder).string()));
    }
  }
  return file;
}

// The images and the file that they come from.
struct ImageFile {
  fs::path path;
  Images images;
};

ImageFile read_images(const fs::path& folder, const std::vector<std::string>& parts) {
  IdxFile file = read_the_one_of(folder, parts, kImages);
  IdxArray& array = file.array;
  const std::string name = file.path.string();
  const bool colour = lower_case(file.path.filename().string()).find("idx4") != std::string::npos;
  const std::size_t rank = colour ? 4 : 3;
  if (array.sizes.size() != rank) {
    throw DataError(
        fmt::format("{}: has {} dimensions, and its name says {}; rename it or fetch "
                    "it again",
                    name, array.sizes.size(), rank));
  }
  if (colour && array.sizes[3] != 3) {
    throw DataError(
        fmt::format("{}: has {} channels, and colour pictures have 3 (R, G, B); "
                    "convert it",
                    name, array.sizes[3]));
  }
  if (array.values.empty()) {
    throw DataError(fmt::format("{}: holds no pictures ({} of {}x{}); fetch it again", name,
                                array.sizes[0], array.sizes[1], array.sizes[2]));
  }
  Images images = {array.sizes[0], array.sizes[1], array.sizes[2], colour ? 3 : 1,
                   std::move(array.values)};
  return {file.path, std::move(images)};
}

// What mends labels that are not 0 to 9, as far as they show whose they are.
std::string remedy_for(const std::vector<std::uint8_t>& labels) {
  constexpr std::uint8_t kUnknown = 255;
  const auto all = [&](auto fits) { return std::all_of(labels.begin(), labels.end(), fits); };
  if (all([](std::uint8_t label) { return label >= 1 && label <= 10; })) {
    return "they run to 10, which stands for the digit 0 in SVHN: write 0 for it";
  }
  if (all([](std::uint8_t label) { return label >= '0' && label <= '9'; })) {
    return "they are characters: take 48 off each";
  }
  if (all([](std::uint8_t label) { return label <= 9 || label == kUnknown; })) {
    return fmt::format(
        "{} of {} are 255, which stands for unknown: leave these pictures out, or all labels",
        std::count(labels.begin(), labels.end(), kUnknown), labels.size());
  }
  const auto [least, most] = std::minmax_element(labels.begin(), labels.end());
  return fmt::format("they run from {} to {}, as of letters or another task: take a set of digits",
                     *least, *most);
}

LabelledImages read_labelled(const fs::path& folder, const std::vector<std::string>& parts) {
  LabelledImages data;
  ImageFile file = read_images(folder, parts);
  IdxFile label_file = read_the_one_of(folder, parts, kLabels);
  const IdxArray& labels = label_file.array;
  const std::string name = label_file.path.string();
  if (labels.sizes.size() != 1) {
    throw DataError(fmt::format("{}: has {} dimensions, and labels have 1; fetch it again", name,
                                labels.sizes.size()));
  }
  if (labels.sizes[0] != file.images.count) {
    throw DataError(fmt::format("{}: {} labels, but {} has {} pictures; fetch both again", name,
                                labels.sizes[0], file.path.filename().string(), file.images.count));
  }
  const auto wrong = std::find_if(labels.values.begin(), labels.values.end(),
                                  [&](std::uint8_t label) { return label >= data.num_classes; });
  if (wrong != labels.values.end()) {
    throw DataError(fmt::format("{}: label {} is {}, and digits are 0 to {}; {}", name,
                                wrong - labels.values.begin(), *wrong, data.num_classes - 1,
                                remedy_for(labels.values)));
  }
  data.images = std::move(file.images);
  data.labels.assign(labels.values.begin(), labels.values.end());
  return data;
}

std::vector<std::int64_t> idx_sizes(const Images& images) {
  std::vector<std::int64_t> sizes = {images.count, images.height, images.width};
  if (images.channels != 1) sizes.push_back(images.channels);
  return sizes;
}

std::string name_for(const std::string& part, std::int64_t channels) {
  return part + "-" + kImages[channels == 1 ? 0 : 1];
}

void require_no_other_form(const fs::path& folder, const std::vector<std::string>& parts,
                           const std::vector<std::string>& kinds, const std::string& written) {
  if (!is_folder(folder)) return;
  for (const fs::path& path : digit_files_in(folder, parts, kinds)) {
    if (path == folder / written) continue;
    throw DataError(
        fmt::format("{}: would stand beside the new {}; remove it or choose another "
                    "folder",
                    path.string(), written));
  }
}

// A folder stands for the set below it only while it holds none itself.
void require_hides_no_set(const fs::path& folder) {
  if (!is_folder(folder) || holds_digits(folder)) return;
  const std::vector<fs::path> places = places_below(folder);
  if (places.empty()) return;
  throw DataError(
      fmt::format("{}: the new files would hide the digits in {}, which this folder stands "
                  "for; choose another folder",
                  folder.string(), places.front().string()));
}

void require_no_other_forms(const fs::path& folder, const std::string& train_images,
                            const std::string& test_images) {
  require_hides_no_set(folder);
  require_no_other_form(folder, kTrain, kImages, train_images);
  require_no_other_form(folder, kTrain, kLabels, kTrain.front() + "-" + kLabels.front());
  require_no_other_form(folder, kTest, kImages, test_images);
  require_no_other_form(folder, kTest, kLabels, kTest.front() + "-" + kLabels.front());
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

constexpr std::int64_t kMaxByteClasses = 256;

// As a file holds them.
std::vector<std::uint8_t> label_bytes(const LabelledImages& data) {
  GRADFLIP_REQUIRE(
      data.num_classes <= kMaxByteClasses,
      message("digit folder: a label is a byte, and there are ", data.num_classes, " classes"));
  std::vector<std::uint8_t> bytes;
  bytes.reserve(data.labels.size());
  for (const std::int32_t label : data.labels) bytes.push_back(static_cast<std::uint8_t>(label));
  return bytes;
}

void write_part(const fs::path& images, const fs::path& labels, const LabelledImages& data) {
  const std::vector<std::uint8_t> bytes = label_bytes(data);
  write_idx(images, idx_sizes(data.images), data.images.pixels);
  const std::vector<std::int64_t> count = {data.images.count};
  write_idx(labels, count, bytes);
}

void add_idx(Sha256& sum, const std::vector<std::int64_t>& sizes,
             const std::vector<std::uint8_t>& values) {
  sum.update(idx_header(sizes));
  sum.update(values);
}

}  // namespace

LabelledImages read_train(const fs::path& folder) { return read_labelled(folder, kTrain); }

UnlabelledImages read_train_unlabelled(const fs::path& folder) {
  return {read_images(folder, kTrain).images};
}

bool has_train_labels(const fs::path& folder) { return has(folder, kTrain, kLabels); }

bool has_test_labels(const fs::path& folder) { return has(folder, kTest, kLabels); }

bool has_test(const fs::path& folder) {
  return has_test_labels(folder) || has(folder, kTest, kImages);
}

LabelledImages read_test(const fs::path& folder) { return read_labelled(folder, kTest); }

std::vector<fs::path> digit_folder_files(const fs::path& folder, std::int64_t channels) {
  std::vector<fs::path> files;
  for (const std::string& part : {kTrain.front(), kTest.front()}) {
    files.push_back(folder / name_for(part, channels));
    files.push_back(folder / (part + "-" + kLabels.front()));
  }
  return files;
}

void require_writable_digit_folder(const fs::path& folder, std::int64_t channels) {
  const std::vector<std::string> images = {name_for(kTrain.front(), channels),
                                           name_for(kTest.front(), channels)};
  require_no_other_forms(folder, images[0], images[1]);
  if (is_folder(folder)) {
    for (const fs::path& file : digit_folder_files(folder, channels)) require_writable(file);
    return;
  }
  // The first of the folders to make: its place has to take new names, as it does for a file.
  fs::path missing = folder.has_filename() ? folder : folder.parent_path();
  while (missing.has_parent_path() && !is_there(missing.parent_path())) {
    missing = missing.parent_path();
  }
  if (is_there(missing)) throw IoError(folder.string() + ": not a folder; choose another place");
  try {
    require_writable(missing);
  } catch (const IoError& error) {
    throw IoError(fmt::format("{}: cannot make the folder: {}", folder.string(), error.what()));
  }
}

void write_digit_folder(const fs::path& folder, const LabelledImages& train,
                        const LabelledImages& test) {
  require_valid(train, "the training part");
  require_valid(test, "the test part");
  for (const std::int64_t channels : {train.images.channels, test.images.channels}) {
    GRADFLIP_REQUIRE(channels == 1 || channels == 3,
                     message("digit folder: pictures of ", channels,
                             " channels; grey and coloured ones have files"));
  }
  require_no_other_forms(folder, name_for(kTrain.front(), train.images.channels),
                         name_for(kTest.front(), test.images.channels));

  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw_io_failure("cannot make the folder", folder, error.value());
  }
  const std::vector<fs::path> train_files = digit_folder_files(folder, train.images.channels);
  const std::vector<fs::path> test_files = digit_folder_files(folder, test.images.channels);
  write_part(train_files[0], train_files[1], train);
  write_part(test_files[2], test_files[3], test);
}

std::string content_sha256(const Images& images) {
  Sha256 sum;
  add_idx(sum, idx_sizes(images), images.pixels);
  return sum.hex();
}

std::string content_sha256(const LabelledImages& data) {
  Sha256 sum;
  add_idx(sum, idx_sizes(data.images), data.images.pixels);
  add_idx(sum, {data.images.count}, label_bytes(data));
  return sum.hex();
}

}  // namespace gradflip
