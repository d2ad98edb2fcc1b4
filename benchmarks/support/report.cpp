#include "benchmarks/support/report.h"

#include <fmt/format.h>

#include "models/options.h"

namespace gradflip::bench {
namespace {

constexpr const char* kTimed =
    "{:<28} {:<26} {:>5} {:<5} {:<9} {:>10.2f} {:>10.2f} {:>9.1f} {:>8.1f} {:>6.1f} {}";
constexpr const char* kFailed = "{:<28} {:<26} {:>5} {:<5} {:<9} {}";

double per_second(double amount, const Row& row) { return amount / row.median_seconds; }

}  // namespace

std::string table_header() {
  return fmt::format("{:<28} {:<26} {:>5} {:<5} {:<9} {:>10} {:>10} {:>9} {:>8} {:>6} {}",
                     "operation", "shape", "batch", "math", "library", "median us", "min us",
                     "GFLOP/s", "GB/s", "share%", "of");
}

std::string table_line(const Row& row) {
  if (!row.error.empty()) {
    return fmt::format(kFailed, row.op, row.shape, row.batch, name_of(row.math), row.library,
                       row.error);
  }
  return fmt::format(kTimed, row.op, row.shape, row.batch, name_of(row.math), row.library,
                     row.median_seconds * 1e6, row.min_seconds * 1e6,
                     per_second(row.work.flops, row) * 1e-9, per_second(row.work.bytes, row) * 1e-9,
                     100.0 * row.bound.seconds / row.median_seconds,
                     row.bound.memory ? "memory" : "arithmetic");
}

nlohmann::ordered_json to_json(const Row& row) {
  nlohmann::ordered_json json = {{"op", row.op},           {"shape", row.shape},
                                 {"batch", row.batch},     {"math", name_of(row.math)},
                                 {"backend", row.backend}, {"library", row.library}};
  if (!row.error.empty()) {
    json["error"] = row.error;
    return json;
  }
  json["median_us"] = row.median_seconds * 1e6;
  json["min_us"] = row.min_seconds * 1e6;
  json["samples"] = row.samples;
  json["gflops"] = per_second(row.work.flops, row) * 1e-9;
  json["gb_per_second"] = per_second(row.work.bytes, row) * 1e-9;
  json["share_of_peak"] = row.bound.seconds / row.median_seconds;
  json["bound"] = row.bound.memory ? "memory" : "arithmetic";
  return json;
}

}  // namespace gradflip::bench
