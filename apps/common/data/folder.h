// What a folder holds, whoever made it: entries that cannot be opened, links that lead nowhere and
// names of any bytes included.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace gradflip {

// Links count as what they lead to. Other is what cannot be read as a file: a link that leads
// nowhere, a pipe, a device.
enum class EntryKind { kFile, kFolder, kOther };

struct FolderEntry {
  std::filesystem::path path;
  EntryKind kind = EntryKind::kOther;

  std::string name() const { return path.filename().string(); }
  // As the operating system's own tools see it: .DS_Store, and ._photo.jpg beside photo.jpg.
  bool hidden() const { return name().starts_with('.'); }
};

// Sorted by the bytes of their names, so that the order is the same on every file system. Throws
// DataError if there is no such folder, IoError if it cannot be read.
std::vector<FolderEntry> list_folder(const std::filesystem::path& folder);

// Whether there is such a folder. Throws IoError if that cannot be told (say, for lack of
// permission).
bool is_folder(const std::filesystem::path& path);

// What to say of a path where no `kind` ("file", "folder") was found, one line: that there is none,
// or that a link leads to none.
std::string absence_of(const std::filesystem::path& path, const char* kind);

// Text in lower case where it is ASCII.
std::string lower_case(std::string text);

// "2 hidden files, 3 .bmp files, 1 folder and 1 other"; "nothing" for no entry. On one line,
// whatever the names are.
std::string summary_of(const std::vector<FolderEntry>& entries);

// "a.txt, b.txt, c.txt and 2 more"; "nothing" for no entry. On one line, whatever the names are.
std::string names_of(const std::vector<FolderEntry>& entries);

}  // namespace gradflip
