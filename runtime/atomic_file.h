// Whole files: replaced in one step or not at all, and read with a limit. POSIX.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace gradflip {

// Makes the file at `path` hold exactly `bytes`. The bytes go to a temporary file in the same
// folder, which is synced and renamed over `path`, and the folder is synced: a reader, also one
// after a power cut, finds the old file or the new one, never a part. While it is written the
// temporary file has no name, so a process killed meanwhile leaves nothing behind, except on file
// systems without such files, network ones above all, or between its naming and its renaming over a
// file that exists. A new file gets the mode 0666 less the umask; an existing one keeps its mode. A
// symbolic link is followed and stays a link. Safe to call from several threads; the last rename
// wins.
//
// Throws IoError (one line: what, path, reason, how to mend). The temporary file is then gone and
// the old file is as it was; only if the final sync of the folder is what failed, the new file is
// already in place. Throws std::bad_alloc if the machine has too little memory, as all here do.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);

// Throws what write_file_atomically would throw for `path`, as far as it shows before there are
// bytes to write: a folder that is missing or takes no new files, a path that is none of a file, a
// file that may not be replaced. Leaves nothing behind.
void require_writable(const std::filesystem::path& path);

// All bytes of the regular file at `path`. Throws IoError if it cannot be read, is not a regular
// file (a folder, a pipe, a device), holds more than max_bytes, or changes its size while it is
// read.
std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

}  // namespace gradflip
