#include "apps/common/data/digit_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "apps/common/data/folder.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;

// The name in our form that an entry's own name stands for: compressed, with dots or underscores
// where it has dashes as some archives write it, in any case.
std::string plain_name(const FolderEntry& entry) {
  std::string name = lower_case(entry.name());
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '.' || c == '_'; }, '-');
  return name;
}

bool is_one_of(const FolderEntry& entry, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), plain_name(entry)) != names.end();
}

// Some archives unpack each file to a folder of its own.
std::vector<fs::path> files_in(const fs::path& folder, const std::vector<std::string>& names) {
  std::vector<fs::path> files;
  for (const FolderEntry& entry : list_folder(folder)) {
    if (!is_one_of(entry, names)) continue;
    if (entry.kind != EntryKind::kFolder) {
      files.push_back(entry.path);
      continue;
    }
    for (const FolderEntry& inner : list_folder(entry.path)) {
      if (inner.kind != EntryKind::kFolder && is_one_of(inner, names)) files.push_back(inner.path);
    }
  }
  return files;
}

}  // namespace

std::vector<std::string> digit_file_names(const std::vector<std::string>& parts,
                                          const std::vector<std::string>& kinds) {
  std::vector<std::string> names;
  for (const std::string& part : parts) {
    for (const std::string& kind : kinds) names.push_back(part + "-" + kind);
  }
  return names;
}

bool holds_digits(const fs::path& place) {
  std::vector<std::string> names = digit_file_names(kTrain, kImages);
  for (const auto& more : {digit_file_names(kTrain, kLabels), digit_file_names(kTest, kImages),
                           digit_file_names(kTest, kLabels)}) {
    names.insert(names.end(), more.begin(), more.end());
  }
  return !files_in(place, names).empty();
}

// torchvision puts them in <name of the set>/raw below the folder that it is given.
std::vector<fs::path> places_below(const fs::path& folder) {
  std::vector<fs::path> places;
  for (const FolderEntry& entry : list_folder(folder)) {
    const fs::path raw = entry.name() == "raw" ? entry.path : entry.path / "raw";
    std::error_code no_matter;  // others' folders may be closed to us
    if (fs::is_directory(raw, no_matter) && holds_digits(raw)) places.push_back(raw);
  }
  return places;
}

fs::path place_of_digits(const fs::path& folder) {
  if (holds_digits(folder)) return folder;
  const std::vector<fs::path> places = places_below(folder);
  if (places.size() > 1) {
    throw DataError(fmt::format("{}: holds more than one set, {} and {}; name one of them",
                                folder.string(), places[0].string(), places[1].string()));
  }
  return places.empty() ? folder : places.front();
}

std::vector<fs::path> digit_files_in(const fs::path& place, const std::vector<std::string>& parts,
                                     const std::vector<std::string>& kinds) {
  return files_in(place, digit_file_names(parts, kinds));
}

}  // namespace gradflip
