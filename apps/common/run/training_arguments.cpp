#include "apps/common/run/training_arguments.h"

#include <fmt/format.h>

#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <variant>

#include "apps/common/number_option.h"
#include "apps/common/usage_error.h"

namespace gradflip {
namespace {

using Json = nlohmann::ordered_json;

// An enumeration of TrainingOptions, by name.
struct Choice {
  std::string names;  // "ramp|constant"
  std::function<std::string(const TrainingOptions&)> get;
  std::function<void(TrainingOptions&, const std::string&)> set;
};

template <typename Enum>
Choice choice(Enum TrainingOptions::*member, Enum (*from_name)(const std::string&),
              std::initializer_list<Enum> values) {
  Choice choice;
  for (const Enum value : values) {
    choice.names += (choice.names.empty() ? "" : "|") + name_of(value);
  }
  choice.get = [member](const TrainingOptions& options) { return name_of(options.*member); };
  choice.set = [member, from_name](TrainingOptions& options, const std::string& name) {
    options.*member = from_name(name);
  };
  return choice;
}

// One number of a recipe: what its option is called, and where it lives.
struct Number {
  const char* name;
  const char* group;
  std::variant<std::int64_t TrainingOptions::*, double TrainingOptions::*, Choice> field;
  const char* help;
};

constexpr const char* kLength = "Length and batches";
constexpr const char* kOptimizer = "Optimizer";
constexpr const char* kAdversary = "Domain adversary";

const std::vector<Number>& numbers() {
  using Options = TrainingOptions;
  static const std::vector<Number> kNumbers = {
      {"epochs", kLength, &Options::epochs, "passes over the labelled training set"},
      {"steps", kLength, &Options::steps, "train for so many steps instead of --epochs"},
      {"source-batch", kLength, &Options::source_batch,
       "source images per step; also the batch of source-only and target-only runs"},
      {"target-batch", kLength, &Options::target_batch, "target images per step of a DANN run"},
      {"learning-rate", kOptimizer, &Options::learning_rate, "mu_0: where the schedule starts"},
      {"learning-rate-schedule", kOptimizer,
       choice(&Options::learning_rate_schedule, learning_rate_schedule_from_name,
              {LearningRateSchedule::kProgress, LearningRateSchedule::kStep,
               LearningRateSchedule::kConstant}),
       "progress p: mu_0 / (1 + alpha p)^beta; step i: mu_0 (1 + decay-gamma i)^-decay-power"},
      {"learning-rate-alpha", kOptimizer, &Options::learning_rate_alpha,
       "alpha of the schedule over progress"},
      {"learning-rate-beta", kOptimizer, &Options::learning_rate_beta,
       "beta of the schedule over progress"},
      {"decay-gamma", kOptimizer, &Options::decay_gamma, "factor of the schedule over steps"},
      {"decay-power", kOptimizer, &Options::decay_power, "exponent of the schedule over steps"},
      {"momentum", kOptimizer, &Options::momentum, "of SGD"},
      {"weight-decay", kOptimizer, &Options::weight_decay, "of SGD, for all weights"},
      {"label-smoothing", kOptimizer, &Options::label_smoothing, "of the label loss"},
      {"lambda", kAdversary, &Options::lambda,
       "reversal strength: the constant, or what the ramp tends to"},
      {"lambda-schedule", kAdversary,
       choice(&Options::lambda_schedule, lambda_schedule_from_name,
              {LambdaSchedule::kRamp, LambdaSchedule::kConstant}),
       "ramp: lambda (2 / (1 + exp(-gamma p)) - 1) over progress p"},
      {"gamma", kAdversary, &Options::gamma, "steepness of the ramp"},
      {"lambda-applies-to", kAdversary,
       choice(&Options::lambda_applies_to, lambda_applies_to_from_name,
              {LambdaAppliesTo::kFeatures, LambdaAppliesTo::kBoth}),
       "features: feature extractor -lambda, domain classifier 1; both: -lambda and lambda"},
      {"domain-weight", kAdversary, &Options::domain_weight,
       "weight of the domain loss, for both parts that it reaches"},
      {"domain-reduction", kAdversary,
       choice(&Options::domain_reduction, domain_reduction_from_name,
              {DomainReduction::kSumOfMeans, DomainReduction::kHalf, DomainReduction::kMean}),
       "domain loss: sum of the two domains' means, half of that, or mean over all images"},
      {"domain-logits", kAdversary, &Options::domain_logits,
       "1: binary cross-entropy; 2: softmax cross-entropy"},
  };
  return kNumbers;
}

Json value_of(const Number& number, const TrainingOptions& options) {
  return std::visit(
      [&](const auto& field) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(field)>, Choice>) {
          return field.get(options);
        } else {
          return options.*field;
        }
      },
      number.field);
}

// "[10]" where all presets agree, else "[paper 10, deepda 1]".
std::string preset_values(const Number& number) {
  const auto text = [&](const std::string& name) {
    const Json value = value_of(number, preset(name));
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  const std::vector<std::string> names = preset_names();
  std::string all;
  bool agree = true;
  for (const std::string& name : names) {
    all += fmt::format("{}{} {}", all.empty() ? "" : ", ", name, text(name));
    agree = agree && text(name) == text(names.front());
  }
  return fmt::format("[{}]", agree ? text(names.front()) : all);
}

bool is_steps(const Number& number) { return std::string(number.name) == "steps"; }

// 0 steps mean "not given" inside TrainingOptions, so a user must not be able to say it.
// require_valid() knows the other ranges.
WholeRange range_of(const Number& number) {
  return is_steps(number) ? WholeRange{.low = 1, .high = kMaxSteps} : WholeRange{};
}

std::string help_of(const Number& number) {
  if (is_steps(number)) return number.help;  // no preset has one
  return fmt::format("{} {}", number.help, preset_values(number));
}

}  // namespace

void TrainingArguments::add_to(CLI::App& app) {
  app.add_option("--preset", preset_,
                 "recipe whose numbers the other options replace; given here, it replaces all "
                 "numbers of the recipe in a --config file [paper]")
      ->type_name(fmt::format("{}", fmt::join(preset_names(), "|")))
      ->group("Recipe");
  add_recipe(app);
  add_batch(app);
}

void TrainingArguments::add_recipe(CLI::App& app) {
  for (const Number& number : numbers()) {
    const std::string name = std::string("--") + number.name;
    CLI::Option* option = std::visit(
        [&](const auto& field) {
          using Field = std::decay_t<decltype(field)>;
          if constexpr (std::is_same_v<Field, Choice>) {
            return app
                .add_option_function<std::string>(
                    name,
                    [this, set = field.set](const std::string& value) {
                      given_.push_back([set, value](TrainingOptions& o) { set(o, value); });
                    },
                    help_of(number))
                ->type_name(field.names);
          } else {
            const auto store = [this, field](auto value) {
              given_.push_back([field, value](TrainingOptions& o) { o.*field = value; });
            };
            if constexpr (std::is_same_v<Field, double TrainingOptions::*>) {
              return add_real_number(app, name, store, help_of(number));
            } else {
              return add_whole_number(app, name, range_of(number), store, help_of(number));
            }
          }
        },
        number.field);
    option->group(number.group);
  }
  app.get_option("--steps")->excludes("--epochs");
}

void TrainingArguments::add_batch(CLI::App& app) {
  const auto store = [this](std::int64_t images) {
    if (images <= 0 || images % 2 != 0) {
      throw CLI::ValidationError("--batch", fmt::format("{} is no even number above 0; half of it "
                                                        "comes from each domain",
                                                        images));
    }
    given_.push_back([half = images / 2](TrainingOptions& options) {
      options.source_batch = half;
      options.target_batch = half;
    });
  };
  add_whole_number(app, "--batch", {}, store,
                   "images of both domains per step of a DANN run, half from each")
      ->group(kLength)
      ->excludes("--source-batch")
      ->excludes("--target-batch");
}

TrainingOptions TrainingArguments::options() const {
  return as_usage([this] {
    TrainingOptions options = preset(preset_);
    for (const auto& apply : given_) apply(options);
    require_valid(options);
    return options;
  });
}

std::vector<Alternatives> TrainingArguments::alternatives() {
  return {{"epochs", "steps"}, {"batch", "source-batch"}, {"batch", "target-batch"}};
}

std::vector<Replacement> TrainingArguments::replacements() {
  Replacement by_preset = {"preset", {"batch"}};
  for (const Number& number : numbers()) by_preset.in_file.emplace_back(number.name);
  return {by_preset};
}

nlohmann::ordered_json config_of(const TrainingOptions& options) {
  Json config = {{"preset", options.preset}};
  for (const Number& number : numbers()) config[number.name] = value_of(number, options);
  config[options.steps > 0 ? "epochs" : "steps"] = nullptr;
  return config;
}

}  // namespace gradflip
