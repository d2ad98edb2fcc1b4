// A network and a method of one's own, on the toy of Ganin et al. (JMLR 2016, section 5.1): two
// moons, and the same moons turned by 35 degrees without labels. Prints the target accuracy of
// source-only and of an adversary that the features confuse, means over five seeds.
#include <cmath>
#include <cstdio>
#include <vector>

#include "models/methods/domain_loss.h"
#include "models/methods/label_loss.h"
#include "models/methods/source_only.h"
#include "models/trainer.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/random.h"

using namespace gradflip;

constexpr std::int64_t kPoints = 300;  // of each domain; even: upper moon, odd: lower moon

std::vector<float> moons(std::uint64_t seed, double degrees) {
  std::vector<float> points;
  const double turn = degrees * M_PI / 180.0;
  for (std::uint64_t i = 0; i < kPoints; ++i) {
    const double angle = M_PI * uniform01(seed, 0, i), noise = uniform(seed, 1, i, -0.1F, 0.1F);
    const double x = (i % 2 == 0 ? std::cos(angle) : 1 - std::cos(angle)) - 0.5;
    const double y = (i % 2 == 0 ? std::sin(angle) : 0.5 - std::sin(angle)) - 0.25 + noise;
    points.push_back(static_cast<float>(2 * (x * std::cos(turn) - y * std::sin(turn))));
    points.push_back(static_cast<float>(2 * (x * std::sin(turn) + y * std::cos(turn))));
  }
  return points;
}

Network moons_network() {
  return {.name = "moons",
          .input = row_input(2),
          .feature_extractor =
              [](NetworkBuilder& network, Value x) {
                return ops::relu(network.graph(), linear(network, "feature_extractor.fc1", x, 15));
              },
          .label_predictor =
              [](NetworkBuilder& network, Value features, std::int64_t num_classes) {
                return linear(network, "label_predictor.fc1", features, num_classes);
              },
          .domain_classifier =
              [](NetworkBuilder& network, Value features, std::int64_t num_logits) {
                const Value h = linear(network, "domain_classifier.fc1", features, 15);
                return linear(network, "domain_classifier.fc2", ops::relu(network.graph(), h),
                              num_logits);
              }};
}

// A DANN whose reversal is half as strong, from the first step on.
void write_half_reversed(Step& step) {
  Graph& graph = step.graph();
  const Value features = step.feature_extractor(step.samples(kBothRows));
  const LabelLoss labels =
      label_loss(step, step.label_predictor(ops::slice_rows(graph, features, kSourceRows)));
  const Value reversed = ops::grl(graph, features, step.schedule({.start = 0.5}));
  const DomainLoss domains = domain_loss(step, step.domain_classifier(reversed, 1), {});
  step.minimise({labels.term, domains.term});
  report_domain_loss(step, domains);
}

Method half_reversed() {
  return {
      .name = "half-reversed", .summary = "a DANN at half strength", .stages = [](const Recipe&) {
        return std::vector<Stage>{{.updates = {{"all", write_half_reversed}}}};
      }};
}

int main() {
  const std::vector<float> source_points = moons(1, 0), target_points = moons(2, 35);
  std::vector<std::int32_t> moon;
  for (std::int32_t i = 0; i < kPoints; ++i) moon.push_back(i % 2);
  const LabelledDeviceData source(Cpu{}, rows_of(source_points, {2}), moon, 2, "source");
  const LabelledDeviceData target(Cpu{}, rows_of(target_points, {2}), moon, 2, "target");
  Recipe recipe;
  recipe.training.source_batch = recipe.training.target_batch = kPoints;
  recipe.training.steps = 2000;
  recipe.training.learning_rate = 0.05;
  recipe.training.learning_rate_schedule = LearningRateSchedule::kConstant;
  const auto accuracy = [&](const Method& method) {
    double mean = 0.0;
    for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
      Trainer trainer(method, moons_network(), recipe, {&source, &target}, seed,
                      select_device("cpu"), /*threads=*/2);
      trainer.run(recipe.training.steps);
      mean += trainer.evaluate(target) / 5;  // the only use of the target's labels
    }
    return mean;
  };
  const double without = accuracy(source_only()), with = accuracy(half_reversed());
  std::printf("target accuracy: source-only %.3f, half-reversed %.3f\n", without, with);
  return with >= without + 0.03 ? 0 : 1;
}
