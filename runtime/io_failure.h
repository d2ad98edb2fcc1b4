// What a refusal of the operating system means to the user.
#pragma once

#include <filesystem>
#include <string_view>

namespace gradflip {

// For a call on `path` that failed with `error`, an errno: throws std::bad_alloc for want of
// memory, which is no matter of that file, else IoError, one line: "<what> <path>: <reason>; <how
// to mend it>".
[[noreturn]] void throw_io_failure(std::string_view what, const std::filesystem::path& path,
                                   int error);

}  // namespace gradflip
