#include "tests/simt/config.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace simt {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

[[noreturn]] void reject(const char* name, std::string_view value) {
  // A misspelt order would silently test less.
  std::fprintf(stderr, "simt: %s=%.*s is not understood\n", name, static_cast<int>(value.size()),
               value.data());
  std::exit(2);
}

Order order_from_environment() {
  const std::string_view order = environment("SIMT_ORDER");
  if (order.empty() || order == "ascending") return Order::kAscending;
  if (order == "descending") return Order::kDescending;
  if (order == "random") return Order::kRandom;
  reject("SIMT_ORDER", order);
}

std::uint64_t seed_from_environment() {
  const std::string_view seed = environment("SIMT_SEED");
  if (seed.empty()) return 1;
  if (seed.find_first_not_of("0123456789") != std::string_view::npos) reject("SIMT_SEED", seed);
  return std::strtoull(seed.data(), nullptr, 10);
}

bool flag_from_environment(const char* name) {
  const std::string_view flag = environment(name);
  if (flag.empty() || flag == "0") return false;
  if (flag == "1") return true;
  reject(name, flag);
}

}  // namespace

Config& config() {
  static Config config{.order = order_from_environment(),
                       .seed = seed_from_environment(),
                       .asynchronous = flag_from_environment("SIMT_ASYNC"),
                       .protect = flag_from_environment("SIMT_PROTECT")};
  return config;
}

}  // namespace simt
