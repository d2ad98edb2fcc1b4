#include "models/option_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/require.h"
#include "models/f32_range.h"

namespace gradflip {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

// The comparisons are written so that NaN fails them.
void require_in(RealRange range, const std::string& option, double value) {
  switch (range) {
    case RealRange::kAtLeastZero:
      GRADFLIP_REQUIRE(value >= 0.0 && std::isfinite(value),
                       fmt::format("{}: {} is not a finite number of at least 0", option, value));
      break;
    case RealRange::kAboveZero:
      GRADFLIP_REQUIRE(value > 0.0 && std::isfinite(value),
                       fmt::format("{}: {} is not a finite number above 0", option, value));
      break;
    case RealRange::kBelowOne:
      GRADFLIP_REQUIRE(value >= 0.0 && static_cast<float>(value) < 1.0F,
                       fmt::format("{}: {} is not at least 0 and below 1 in f32, in which training "
                                   "computes",
                                   option, value));
      break;
  }
}

void require_fits_f32(const std::string& option, double value) {
  GRADFLIP_REQUIRE(
      value == 0.0 || is_normal_in_f32(value),
      fmt::format("{}: {} is {} number of f32, in which training computes: they go "
                  "from 1.2e-38 to 3.4e38",
                  option, value, value < 1.0 ? "below the smallest normal" : "above the largest"));
}

[[noreturn]] void refuse_kind(const std::string& option, const char* wanted) {
  throw std::invalid_argument(message(option, ": the value is not ", wanted));
}

}  // namespace

bool OptionField::given() const {
  return instead_of.empty() || value() != OptionValue{std::int64_t{0}};
}

OptionValue OptionField::value() const {
  return std::visit(
      Overloaded{[](const WholeOption& whole) -> OptionValue { return *whole.value; },
                 [](const RealOption& real) -> OptionValue { return *real.value; },
                 [](const ChoiceOption& choice) -> OptionValue { return choice.get(); },
                 [](const TextOption& written) -> OptionValue { return *written.value; }},
      kind);
}

void OptionField::set(const OptionValue& value) const {
  const std::string option = "--" + name();
  const auto* const whole_value = std::get_if<std::int64_t>(&value);
  const auto* const real_value = std::get_if<double>(&value);
  const auto* const named_value = std::get_if<std::string>(&value);
  std::visit(Overloaded{[&](const WholeOption& whole) {
                          if (whole_value == nullptr) refuse_kind(option, "a whole number");
                          *whole.value = *whole_value;
                        },
                        [&](const RealOption& real) {
                          if (named_value != nullptr) refuse_kind(option, "a number");
                          *real.value = real_value != nullptr ? *real_value
                                                              : static_cast<double>(*whole_value);
                        },
                        [&](const ChoiceOption& choice) {
                          if (named_value == nullptr) refuse_kind(option, "a name");
                          choice.set(index_of_choice(choice.names, option, *named_value));
                        },
                        [&](const TextOption& written) {
                          if (named_value == nullptr) refuse_kind(option, "text");
                          *written.value = *named_value;
                        }},
             kind);
}

void OptionField::require_in_range() const {
  const std::string option = "--" + name();
  std::visit(Overloaded{[&](const WholeOption& whole) {
                          const std::int64_t value = *whole.value;
                          GRADFLIP_REQUIRE(!given() || (value >= whole.low && value <= whole.high),
                                           message(option, ": ", value, " is not between ",
                                                   whole.low, " and ", whole.high));
                        },
                        [&](const RealOption& real) {
                          require_in(real.range, option, *real.value);
                          if (real.used_as == UsedAs::kF32) require_fits_f32(option, *real.value);
                        },
                        [](const ChoiceOption& choice) { (void)choice.get(); },
                        [&](const TextOption& written) {
                          try {
                            written.check(*written.value);
                          } catch (const std::invalid_argument& error) {
                            throw std::invalid_argument(message(option, ": ", error.what()));
                          }
                        }},
             kind);
}

OptionField whole_option(OptionText text, std::int64_t& value, std::int64_t low,
                         std::int64_t high) {
  return {std::move(text), WholeOption{&value, low, high}, {}};
}

OptionField alternative_option(OptionText text, std::int64_t& value, std::int64_t low,
                               std::int64_t high, std::string instead_of) {
  GRADFLIP_REQUIRE(low > 0, message("--", text.name, ": 0 says that it is not given"));
  return {std::move(text), WholeOption{&value, low, high}, std::move(instead_of)};
}

OptionField named_option(OptionText text, std::string& value,
                         const std::vector<std::string>& names) {
  return {std::move(text),
          ChoiceOption{names, [&value] { return value; },
                       [&value, names](std::size_t index) { value = names.at(index); }},
          {}};
}

OptionField only_with(OptionField field, std::string option, std::vector<std::string> values) {
  field.only_with.push_back({std::move(option), std::move(values)});
  return field;
}

OptionField real_option(OptionText text, double& value, RealRange range, UsedAs used_as) {
  return {std::move(text), RealOption{&value, range, used_as}, {}};
}

OptionField text_option(OptionText text, std::string& value, std::string notation,
                        std::function<void(const std::string&)> check) {
  return {std::move(text), TextOption{&value, std::move(notation), std::move(check)}, {}};
}

std::size_t index_of_choice(const std::vector<std::string>& names, const std::string& option,
                            const std::string& wanted) {
  const auto found = std::find(names.begin(), names.end(), wanted);
  GRADFLIP_REQUIRE(found != names.end(), fmt::format("{}: there is no \"{}\"; choose one of {}",
                                                     option, wanted, fmt::join(names, ", ")));
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace gradflip
