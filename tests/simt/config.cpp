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

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const std::string_view number = environment(name);
  if (number.empty()) return otherwise;
  if (number.find_first_not_of("0123456789") != std::string_view::npos) reject(name, number);
  return std::strtoull(number.data(), nullptr, 10);
}

std::size_t block_shared_from_environment() {
  constexpr std::size_t kLeast = 48,
                        kMost = 227;  // what every device has, and what the largest has
  const char* const name = "SIMT_SHARED_KIB";
  const std::size_t kib = number_from_environment(name, kMost);
  if (kib < kLeast || kib > kMost) reject(name, environment(name));
  return kib * 1024;
}

int count_from_environment(const char* name, int otherwise) {
  constexpr std::uint64_t kMost = 1024;
  const std::uint64_t count = number_from_environment(name, static_cast<std::uint64_t>(otherwise));
  if (count == 0 || count > kMost) reject(name, environment(name));
  return static_cast<int>(count);
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
                       .seed = number_from_environment("SIMT_SEED", 1),
                       .asynchronous = flag_from_environment("SIMT_ASYNC"),
                       .protect = flag_from_environment("SIMT_PROTECT"),
                       .block_shared_bytes = block_shared_from_environment(),
                       .multiprocessors = count_from_environment("SIMT_MULTIPROCESSORS", 132),
                       .devices = count_from_environment("SIMT_DEVICES", 1)};
  return config;
}

}  // namespace simt
