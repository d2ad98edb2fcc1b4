// Files of tests/data.
#pragma once

#include <filesystem>

namespace gradflip {

// In the folder that GRADFLIP_TEST_DATA in the environment names, so that test programs can be
// taken to another machine; where there is none, in that of the sources which this was compiled
// from.
std::filesystem::path test_data(const std::filesystem::path& name);

}  // namespace gradflip
