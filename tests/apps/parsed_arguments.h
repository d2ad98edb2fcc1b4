// The command line of dann_mnist, without running it.
#pragma once

#include <string>
#include <vector>

#include "apps/common/cli.h"
#include "apps/common/usage_error.h"
#include "apps/dann_mnist/arguments.h"

namespace gradflip {

inline Arguments parse(const std::vector<std::string>& words) {
  CommandLine command_line;
  gradflip::parse(command_line.app(), words);
  return command_line.arguments();
}

// The message of a refused command line; empty if it was accepted.
inline std::string refusal(const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const CLI::ParseError& error) {
    return error.what();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace gradflip
