#include "apps/dann_mnist/modes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "apps/common/shown.h"
#include "apps/common/usage_error.h"
#include "models/method_list.h"

namespace gradflip {
namespace {

constexpr const char* kAll = "all";

std::vector<std::string> paper_rows(const std::string& method) {
  return {kSourceOnly, method, kTargetOnly};
}

}  // namespace

std::vector<std::string> mode_names() {
  std::vector<std::string> modes = method_names();
  modes.push_back(kTargetOnly);
  return modes;
}

std::vector<std::string> modes_of(const std::string& text, const std::string& method) {
  if (text == kAll) return paper_rows(method);
  const std::vector<std::string> known = mode_names();
  std::set<std::string> wanted;
  std::istringstream names(text + ",");  // so that no name is one, too
  for (std::string name; std::getline(names, name, ',');) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw UsageError(
          fmt::format("--mode: there is no {}; choose {}, or one or several, with commas, of {}",
                      shown(name), kAll, fmt::join(known, ", ")));
    }
    wanted.insert(name);
  }
  std::vector<std::string> modes;
  std::copy_if(known.begin(), known.end(), std::back_inserter(modes),
               [&](const std::string& mode) { return wanted.count(mode) > 0; });
  return modes;
}

std::string text_of(const std::vector<std::string>& modes, const std::string& method) {
  return modes == paper_rows(method) ? kAll : fmt::format("{}", fmt::join(modes, ","));
}

Method method_of(const std::string& mode) {
  return method(mode == kTargetOnly ? kSourceOnly : mode);
}

}  // namespace gradflip
