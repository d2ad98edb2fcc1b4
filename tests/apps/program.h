// Runs a program as a user would and keeps what it wrote.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace gradflip {

struct ProgramResult {
  int exit_code = -1;  // 128 + n if signal n ended it
  std::string out, err;
};

ProgramResult run_program(const std::string& program, const std::vector<std::string>& arguments);

// As above, but sends `signal` as soon as stderr holds `mark`.
ProgramResult signal_program(const std::string& program, const std::vector<std::string>& arguments,
                             const std::string& mark, int signal);

// As above, as soon as `moment` is there: it is asked again and again.
ProgramResult signal_program_when(const std::string& program,
                                  const std::vector<std::string>& arguments,
                                  const std::function<bool()>& moment, int signal);

}  // namespace gradflip
