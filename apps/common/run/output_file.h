// Files that a run will write at its end: named and tried at its start.
#pragma once

#include <filesystem>
#include <string>

namespace gradflip {

// Throws IoError, one line, if a file at `path` could not be written now: its folder is missing or
// refuses new files, or the path is a folder. Leaves nothing behind.
void require_writable(const std::filesystem::path& path);

// "model.safetensors" and "dann-seed1" make "model-dann-seed1.safetensors".
std::filesystem::path with_suffix(const std::filesystem::path& path, const std::string& suffix);

}  // namespace gradflip
