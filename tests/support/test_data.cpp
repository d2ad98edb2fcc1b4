#include "tests/support/test_data.h"

#include <cstdlib>

namespace gradflip {

std::filesystem::path test_data(const std::filesystem::path& name) {
  const char* folder = std::getenv("GRADFLIP_TEST_DATA");
  if (folder == nullptr || *folder == '\0') folder = GRADFLIP_COMPILED_TEST_DATA;
  return std::filesystem::path(folder) / name;
}

}  // namespace gradflip
