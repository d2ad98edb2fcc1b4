#include "runtime/device.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "runtime/cuda_devices.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "CPU";  // not every architecture gives itself a name there
}

Device cpu(std::string reason) { return {Cpu{}, cpu_name(), std::move(reason)}; }

// The N of "cuda:N", and 0 for "cuda"; empty if the text is anything else.
std::optional<int> ordinal_of(std::string_view name) {
  constexpr std::string_view kPrefix = "cuda:";
  if (name == "cuda") return 0;
  if (!name.starts_with(kPrefix)) return {};
  const std::string_view text = name.substr(kPrefix.size());
  int ordinal = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ordinal);
  if (error != std::errc() || end != text.data() + text.size() || ordinal < 0) return {};
  return ordinal;
}

}  // namespace

bool is_device_name(const std::string& name) {
  return name == "auto" || name == "cpu" || ordinal_of(name).has_value();
}

Device select_device(const std::string& name) {
  if (name == "cpu") return cpu("asked for");
  const std::optional<int> ordinal = name == "auto" ? 0 : ordinal_of(name);
  if (!ordinal) {
    throw std::invalid_argument(
        fmt::format("there is no device \"{}\"; choose auto, cpu, cuda or cuda:N", name));
  }

  auto found = find_cuda_device(*ordinal);
  if (auto* device = std::get_if<Device>(&found)) {
    device->reason = name == "auto" ? "the first GPU" : "asked for";
    return *device;
  }
  const auto& none = std::get<NoCudaDevice>(found);
  if (name == "auto") return cpu(none.why);
  throw DeviceError(
      fmt::format("cannot use {}: {}; {}, or choose cpu", name, none.why, none.remedy));
}

bool computes_in(const Context& context, Math math) {
  return std::visit([math](auto ctx) { return computes_in(ctx, math); }, context);
}

int default_threads() {
  // A fixed cpu_set_t ends at 1024 processors; the kernel says EINVAL until the set is large
  // enough.
  for (int capacity = 1024; capacity <= 1 << 20; capacity *= 2) {
    cpu_set_t* set = CPU_ALLOC(capacity);
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(capacity);
    const bool known = ::sched_getaffinity(0, bytes, set) == 0;
    const bool too_small = !known && errno == EINVAL;
    const int count = known ? CPU_COUNT_S(bytes, set) : 1;
    CPU_FREE(set);
    if (!too_small) return std::max(count, 1);
  }
  return 1;
}

}  // namespace gradflip
