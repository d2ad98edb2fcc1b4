#include "models/methods/adda.h"

#include <array>
#include <string>

#include "models/methods/domain_loss.h"
#include "models/methods/source_only.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/stop_gradient.h"

namespace gradflip {
namespace {

constexpr const char* kPretraining = "pretraining";
constexpr int kSourceBank = 1;  // M_s; the trained bank is M_t
constexpr std::array<ops::SegmentNumber, 1> kTargetTakenForSource{{{kTarget, 0}}};

void minimise_by_adam(Step& step, Term term, const std::string& part) {
  const auto& options = step.options<AddaOptions>();
  step.minimise({.terms = {std::move(term)},
                 .over = {part},
                 .with = {.rule = AdamOptions{.beta1 = static_cast<float>(options.adda_beta1)}},
                 .learning_rate = step.schedule(
                     {.kind = Schedule::Kind::kConstant, .start = options.adda_learning_rate})});
}

void write_discriminator(Step& step) {
  Graph& graph = step.graph();
  const Value source = step.feature_extractor(step.samples(kSourceRows), kSourceBank);
  const Value target = ops::stop_gradient(graph, step.feature_extractor(step.samples(kTargetRows)));
  const Value logits =
      step.domain_classifier(ops::concat_rows(graph, std::array{source, target}), 1);
  const DomainLoss domains = domain_loss(step, logits, {});

  minimise_by_adam(step, domains.term, "domain_classifier");
  report_domain_loss(step, domains);
}

void write_target_extractor(Step& step) {
  Graph& graph = step.graph();
  const Value logits = step.domain_classifier(step.feature_extractor(step.samples(kTargetRows)), 1);
  const Value losses =
      ops::bce_with_logits(graph, logits, ops::constant_rows(graph, kTargetTakenForSource));

  minimise_by_adam(step, {"mapping loss", ops::mean_rows(graph, losses)}, "feature_extractor");
  step.report({.name = "mapping_loss", .value = losses});
}

std::vector<Stage> adda_stages(const Recipe& recipe) {
  const double pretraining = recipe.of<AddaOptions>().adda_pretraining;
  const auto times = static_cast<int>(recipe.of<AddaOptions>().adda_extractor_updates);
  return {{.updates = {{kPretraining, learn_source}}, .share = pretraining},
          {.updates = {{"discriminator", write_discriminator},
                       {"target_extractor", write_target_extractor, times, times > 1}},
           .share = 1.0 - pretraining,
           .copies = {{.from = 0, .to = kSourceBank}}}};
}

std::vector<std::string> adda_suspects(const Divergence& divergence, const Recipe& recipe) {
  // What pre-training made of the weights is at work to the end.
  std::vector<std::string> names = optimizer_suspects(divergence, recipe.training);
  if (divergence.update != kPretraining && divergence.stage_has_updated()) {
    names.emplace_back("--adda-learning-rate");
  }
  return names;
}

}  // namespace

std::vector<OptionField> fields(AddaOptions& o) {
  constexpr const char* kGroup = "ADDA";
  return {
      real_option({"adda-pretraining", kGroup, "share of the steps that learn the source first"},
                  o.adda_pretraining, RealRange::kBelowOne, UsedAs::kF64),
      real_option({"adda-learning-rate", kGroup, "of Adam, once the target adapts"},
                  o.adda_learning_rate, RealRange::kAboveZero, UsedAs::kF32),
      real_option({"adda-beta1", kGroup, "of Adam: how long the mean of gradients lasts"},
                  o.adda_beta1, RealRange::kBelowOne, UsedAs::kF32),
      whole_option({"adda-extractor-updates", kGroup,
                    "of the target's features, for each one of the discriminator; several have "
                    "samples of their own"},
                   o.adda_extractor_updates, 1, 1000)};
}

Method adda() {
  return {.name = "adda",
          .summary = "learn the source, then move the target's features among the source's",
          .banks = 2,
          .options = {method_options<AddaOptions>()},
          .stages = adda_stages,
          .suspects = adda_suspects};
}

}  // namespace gradflip
