#include "apps/common/data/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <system_error>

#include "runtime/errors.h"
#include "runtime/io_failure.h"

namespace gradflip {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNames = 8;             // listed in a message
constexpr std::size_t kMaxNameLength = 60;       // of each
constexpr std::size_t kMaxExtensionLength = 10;  // longer ones are none

[[noreturn]] void fail(const fs::path& path, const std::error_code& error) {
  throw_io_failure("cannot read", path, error.value());
}

EntryKind kind_of(const fs::directory_entry& entry) {
  std::error_code error;
  const fs::file_status status = entry.status(error);
  if (error == std::errc::not_enough_memory) fail(entry.path(), error);
  if (fs::is_regular_file(status)) return EntryKind::kFile;
  return fs::is_directory(status) ? EntryKind::kFolder : EntryKind::kOther;
}

bool is_printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// Names may hold line breaks and commands for a terminal.
std::string printable(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  if (name.size() > kMaxNameLength) name = name.substr(0, kMaxNameLength) + "...";
  return name;
}

// What a summary counts an entry as, in the singular.
std::string counted_as(const FolderEntry& entry) {
  if (entry.hidden()) return "hidden file";
  if (entry.kind == EntryKind::kFolder) return "folder";
  const std::string extension = lower_case(entry.path.extension().string());
  if (entry.kind == EntryKind::kOther) return "other";
  if (extension.size() < 2 || extension.size() > kMaxExtensionLength || !is_printable(extension)) {
    return "file without extension";
  }
  return extension + " file";
}

std::string plural(const std::string& kind) {
  if (kind == "other") return "others";
  const std::size_t file = kind.find("file ");
  return file != std::string::npos
             ? fmt::format("{}s{}", kind.substr(0, file + 4), kind.substr(file + 4))
             : kind + "s";
}

std::string enumerated(const std::vector<std::string>& items) {
  if (items.empty()) return "nothing";
  std::string text = items.front();
  for (std::size_t i = 1; i < items.size(); ++i) {
    text += (i + 1 == items.size() ? " and " : ", ") + items[i];
  }
  return text;
}

}  // namespace

std::vector<FolderEntry> list_folder(const fs::path& folder) {
  if (!is_folder(folder)) {
    std::error_code ignored;
    throw DataError(fs::exists(folder, ignored) ? folder.string() + ": not a folder; check its name"
                                                : absence_of(folder, "folder"));
  }
  std::error_code error;
  std::vector<FolderEntry> entries;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    entries.push_back({entry->path(), kind_of(*entry)});
  }
  if (error) fail(folder, error);
  std::sort(entries.begin(), entries.end(), [](const FolderEntry& a, const FolderEntry& b) {
    return a.path.filename().native() < b.path.filename().native();
  });
  return entries;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  // not_found stands for "no such file" and "a parent is a file"; anything else cannot be told.
  if (error && status.type() != fs::file_type::not_found) fail(path, error);
  return fs::is_directory(status);
}

std::string absence_of(const fs::path& path, const char* kind) {
  std::error_code ignored;
  if (fs::is_symlink(fs::symlink_status(path, ignored))) {
    return fmt::format("{}: a link to a {} that is not there; mend the link or name another",
                       path.string(), kind);
  }
  return fmt::format("{}: no such {}; check its name", path.string(), kind);
}

std::string lower_case(std::string text) {
  for (char& letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return text;
}

std::string summary_of(const std::vector<FolderEntry>& entries) {
  std::map<std::string, std::size_t> counts;
  for (const FolderEntry& entry : entries) ++counts[counted_as(entry)];
  std::vector<std::string> items;
  items.reserve(counts.size());
  for (const auto& [kind, count] : counts) {
    items.push_back(fmt::format("{} {}", count, count == 1 ? kind : plural(kind)));
  }
  if (items.size() > kMaxNames) {
    items.resize(kMaxNames);
    items.emplace_back("more");
  }
  return enumerated(items);
}

std::string names_of(const std::vector<FolderEntry>& entries) {
  std::vector<std::string> names;
  names.reserve(std::min(entries.size(), kMaxNames + 1));
  for (const FolderEntry& entry : entries) {
    if (names.size() == kMaxNames) {
      names.push_back(fmt::format("{} more", entries.size() - kMaxNames));
      break;
    }
    names.push_back(printable(entry.name()) + (entry.kind == EntryKind::kFolder ? "/" : ""));
  }
  return enumerated(names);
}

}  // namespace gradflip
