// What a run writes at its end: names of files, and the standard output.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace gradflip {

// "model.safetensors" and "dann-seed1" make "model-dann-seed1.safetensors".
std::filesystem::path with_suffix(const std::filesystem::path& path, const std::string& suffix);

// Throws UsageError if `path`, which `option` names, is what the standard output or error writes to
// (its contents would be lost when the file is replaced), or "-", which stands for the standard
// output with other programs and would be a file of that name here.
void require_apart_from_streams(const std::string& option, const std::filesystem::path& path);

// All of `text`, at once, waiting for room in a pipe or a terminal that is full. Throws IoError,
// one line, if the standard output does not take it.
void write_to_stdout(std::string_view text);

}  // namespace gradflip
