// Real data sets for tests: the folder that the environment variable GRADFLIP_DATA names, filled by
// scripts/fetch_data.sh. A test that needs it starts with GRADFLIP_NEED_DATA(). Without the
// variable it skips, in CI it fails; with the variable, missing files fail.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace gradflip {

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

inline std::filesystem::path real_data(const std::string& set) {
  return std::filesystem::path(environment("GRADFLIP_DATA")) / set;
}

}  // namespace gradflip

#define GRADFLIP_NEED_DATA()                                                           \
  do {                                                                                 \
    if (::gradflip::environment("GRADFLIP_DATA").empty()) {                            \
      if (::gradflip::environment("CI") == "true") FAIL() << "GRADFLIP_DATA is unset"; \
      GTEST_SKIP() << "GRADFLIP_DATA is unset; see scripts/fetch_data.sh";             \
    }                                                                                  \
  } while (0)
