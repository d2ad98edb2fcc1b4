// Options that are numbers, in every program and configuration file. They are declared here and
// never with CLI11's add_option, whose numbers follow C and the empty string: there 010 is eight,
// 0x10 sixteen, nan a number and "" zero.
#pragma once

#include <CLI/CLI.hpp>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

namespace gradflip {

struct WholeRange {
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
};

// The number that `text` writes in decimal digits, with a minus where it is negative; leading zeros
// mean nothing (010 is ten). Throws UsageError, one line, for anything before, between or behind
// the digits and for a number out of range.
std::int64_t whole_number(std::string_view text, WholeRange range = {});

// The finite number that `text` writes in decimal: 2, 0.5, .5, -1e-3. Throws UsageError as above,
// also for nan, inf and a number that a double cannot hold. Does not depend on the locale.
double real_number(std::string_view text);

// Options whose value is such a number; `store` gets it when the command line is parsed.
CLI::Option* add_whole_number(CLI::App& app, const std::string& name, WholeRange range,
                              const std::function<void(std::int64_t)>& store,
                              const std::string& help);
CLI::Option* add_real_number(CLI::App& app, const std::string& name,
                             const std::function<void(double)>& store, const std::string& help);

// As above, into `value`, which can hold all of `range`.
template <std::integral Value>
CLI::Option* add_whole_number(CLI::App& app, const std::string& name, WholeRange range,
                              Value& value, const std::string& help) {
  const auto store = [&value](std::int64_t number) { value = static_cast<Value>(number); };
  return add_whole_number(app, name, range, std::function<void(std::int64_t)>(store), help);
}

}  // namespace gradflip
