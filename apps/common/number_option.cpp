#include "apps/common/number_option.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <system_error>

#include "apps/common/shown.h"
#include "apps/common/usage_error.h"

namespace gradflip {
namespace {

// `read` with the option's name before what it refuses.
template <typename Read>
auto of_option(const std::string& name, const Read& read) {
  try {
    return read();
  } catch (const UsageError& error) {
    throw CLI::ValidationError(name, error.what());
  }
}

}  // namespace

std::int64_t whole_number(std::string_view text, WholeRange range) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, value);
  if (read != end || error == std::errc::invalid_argument) {
    throw UsageError(
        fmt::format("{} is no whole number; write it in decimal digits alone", shown(text)));
  }
  if (error == std::errc::result_out_of_range || value < range.low || value > range.high) {
    throw UsageError(
        fmt::format("{} is not between {} and {}", shown(text), range.low, range.high));
  }
  return value;
}

double real_number(std::string_view text) {
  double value = 0.0;
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, value);
  if (read != end || error == std::errc::invalid_argument) {
    throw UsageError(
        fmt::format("{} is no number; write it in decimal, as 0.5 or 5e-1", shown(text)));
  }
  if (error == std::errc::result_out_of_range) {
    throw UsageError(
        fmt::format("{} is larger or smaller than any number here can be", shown(text)));
  }
  if (!std::isfinite(value)) throw UsageError(fmt::format("{} is no finite number", shown(text)));
  return value;
}

CLI::Option* add_whole_number(CLI::App& app, const std::string& name, WholeRange range,
                              const std::function<void(std::int64_t)>& store,
                              const std::string& help) {
  return app
      .add_option_function<std::string>(
          name,
          [name, range, store](const std::string& text) {
            store(of_option(name, [&] { return whole_number(text, range); }));
          },
          help)
      ->type_name("INT");
}

CLI::Option* add_real_number(CLI::App& app, const std::string& name,
                             const std::function<void(double)>& store, const std::string& help) {
  return app
      .add_option_function<std::string>(
          name,
          [name, store](const std::string& text) {
            store(of_option(name, [&] { return real_number(text); }));
          },
          help)
      ->type_name("FLOAT");
}

}  // namespace gradflip
