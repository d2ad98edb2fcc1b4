#include "apps/common/data/digit_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <vector>

#include "apps/common/data/idx.h"
#include "apps/common/data/sha256.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kTrain = {"train"};
const std::vector<std::string> kTest = {"t10k", "test"};
const std::vector<std::string> kImages = {"images-idx3-ubyte", "images-idx4-ubyte"};
const std::vector<std::string> kLabels = {"labels-idx1-ubyte"};

// Every name that a file of this part and kind may have.
std::vector<std::string> names_of(const std::vector<std::string>& parts,
                                  const std::vector<std::string>& kinds) {
  std::vector<std::string> names;
  for (const std::string& part : parts) {
    for (const std::string& kind : kinds) {
      names.push_back(part + "-" + kind);
      names.push_back(part + "-" + kind + ".gz");
    }
  }
  return names;
}

std::vector<fs::path> present(const fs::path& folder, const std::vector<std::string>& names) {
  std::vector<fs::path> paths;
  for (const std::string& name : names) {
    if (fs::exists(folder / name)) paths.push_back(folder / name);
  }
  return paths;
}

fs::path the_one_of(const fs::path& folder, const std::vector<std::string>& names) {
  if (!fs::is_directory(folder)) {
    throw DataError(fmt::format("{}: no such folder; check its name", folder.string()));
  }
  const std::vector<fs::path> paths = present(folder, names);
  if (paths.empty()) {
    throw DataError(fmt::format("{}: holds no {}[.gz]; check that it is a folder of digits",
                                folder.string(), names.front()));
  }
  if (paths.size() > 1) {
    throw DataError(fmt::format("{}: holds both {} and {}; remove one of them", folder.string(),
                                paths[0].filename().string(), paths[1].filename().string()));
  }
  return paths.front();
}

// The images and the file that they come from.
struct ImageFile {
  fs::path path;
  Images images;
};

ImageFile read_images(const fs::path& folder, const std::vector<std::string>& parts) {
  const fs::path path = the_one_of(folder, names_of(parts, kImages));
  IdxArray array = read_idx(path);
  const std::string name = path.string();
  const bool colour = name.find("idx4") != std::string::npos;
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
  return {path, std::move(images)};
}

LabelledImages read_labelled(const fs::path& folder, const std::vector<std::string>& parts) {
  LabelledImages data;
  const fs::path labels_path = the_one_of(folder, names_of(parts, kLabels));
  ImageFile file = read_images(folder, parts);
  IdxArray labels = read_idx(labels_path);
  if (labels.sizes.size() != 1) {
    throw DataError(fmt::format("{}: has {} dimensions, and labels have 1; fetch it again",
                                labels_path.string(), labels.sizes.size()));
  }
  if (labels.sizes[0] != file.images.count) {
    throw DataError(fmt::format("{}: {} labels, but {} has {} pictures; fetch both again",
                                labels_path.string(), labels.sizes[0],
                                file.path.filename().string(), file.images.count));
  }
  const auto wrong = std::find_if(labels.values.begin(), labels.values.end(),
                                  [&](std::uint8_t label) { return label >= data.num_classes; });
  if (wrong != labels.values.end()) {
    throw DataError(fmt::format("{}: label {} is {}, and digits end at {}; fetch it again",
                                labels_path.string(), wrong - labels.values.begin(), *wrong,
                                data.num_classes - 1));
  }
  data.images = std::move(file.images);
  data.labels = std::move(labels.values);
  return data;
}

std::vector<std::int64_t> idx_sizes(const Images& images) {
  std::vector<std::int64_t> sizes = {images.count, images.height, images.width};
  if (images.channels != 1) sizes.push_back(images.channels);
  return sizes;
}

std::string name_for(const std::string& part, const Images& images) {
  return part + "-" + kImages[images.channels == 1 ? 0 : 1];
}

void require_no_other_form(const fs::path& folder, const std::vector<std::string>& parts,
                           const std::vector<std::string>& kinds, const std::string& written) {
  for (const fs::path& path : present(folder, names_of(parts, kinds))) {
    if (path.filename() == written) continue;
    throw DataError(
        fmt::format("{}: would stand beside the new {}; remove it or choose another "
                    "folder",
                    path.string(), written));
  }
}

void write_part(const fs::path& folder, const std::string& part, const LabelledImages& data) {
  write_idx(folder / name_for(part, data.images), idx_sizes(data.images), data.images.pixels);
  const std::vector<std::int64_t> count = {data.images.count};
  write_idx(folder / (part + "-" + kLabels.front()), count, data.labels);
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

bool has_test(const fs::path& folder) { return !present(folder, names_of(kTest, kImages)).empty(); }

LabelledImages read_test(const fs::path& folder) { return read_labelled(folder, kTest); }

void write_digit_folder(const fs::path& folder, const LabelledImages& train,
                        const LabelledImages& test) {
  require_valid(train, "the training part");
  require_valid(test, "the test part");
  const std::string& test_part = kTest.front();
  require_no_other_form(folder, kTrain, kImages, name_for("train", train.images));
  require_no_other_form(folder, kTrain, kLabels, "train-" + kLabels.front());
  require_no_other_form(folder, kTest, kImages, name_for(test_part, test.images));
  require_no_other_form(folder, kTest, kLabels, test_part + "-" + kLabels.front());

  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw IoError(fmt::format("{}: cannot make the folder: {}; choose another place",
                              folder.string(), error.message()));
  }
  write_part(folder, "train", train);
  write_part(folder, test_part, test);
}

std::string content_sha256(const Images& images) {
  Sha256 sum;
  add_idx(sum, idx_sizes(images), images.pixels);
  return sum.hex();
}

std::string content_sha256(const LabelledImages& data) {
  Sha256 sum;
  add_idx(sum, idx_sizes(data.images), data.images.pixels);
  add_idx(sum, {data.images.count}, data.labels);
  return sum.hex();
}

}  // namespace gradflip
