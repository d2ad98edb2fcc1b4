#include "apps/common/report/reported_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace gradflip {
namespace {

// Of every name that ends so.
struct Look {
  std::string_view ending, said;
  const char* format;
  int digits;
};

constexpr Look kLooks[] = {
    {"_loss", "", "{} {:.{}f}", 3},
    {"_accuracy", "_acc", "{} {:.{}f}", 2},
    {"lambda", "lambda", "{} {:.{}f}", 2},
    {"learning_rate", "lr", "{} {:.{}e}", 1},
    {"", "", "{} {:.{}g}", 3},  // any other, of any size
};

std::string text_with(const Reported& reported, int more_digits) {
  const Look& look = *std::find_if(std::begin(kLooks), std::end(kLooks), [&](const Look& each) {
    return reported.name.ends_with(each.ending);
  });
  std::string said = reported.name;
  said.replace(said.size() - look.ending.size(), look.ending.size(), look.said);
  std::replace(said.begin(), said.end(), '_', ' ');
  return fmt::format(fmt::runtime(look.format), said, reported.value, look.digits + more_digits);
}

}  // namespace

std::string short_text(const Reported& reported) { return text_with(reported, 0); }
std::string full_text(const Reported& reported) { return text_with(reported, 1); }

}  // namespace gradflip
