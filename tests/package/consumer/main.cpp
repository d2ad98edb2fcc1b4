// A network and a method of one's own, on the toy of Ganin et al. (JMLR 2016, section 5.1): two
// moons, and the same moons turned by 35 degrees without labels. Prints the target accuracy of
// source-only and of DANN, means over five seeds.
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "models/layers.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/program.h"
#include "runtime/random.h"
#include "runtime/sequence.h"

using namespace gradflip;

constexpr std::int64_t kPoints = 300;  // of each domain; even: upper moon, odd: lower moon
constexpr Rows kSource = segment_rows(0), kTarget = segment_rows(1);

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

double target_accuracy(float lambda, std::uint64_t seed) {
  Draft draft{.name = "dann"};
  Graph& graph = draft.graph;
  Parameters parameters;
  NetworkBuilder network(graph, parameters);
  draft.step = graph.external("step", {Dtype::kI64, {}, {}});
  const Value source = graph.external("source", {Dtype::kF32, {2}, kSource});
  const Value target = graph.external("target", {Dtype::kF32, {2}, kTarget});
  const Value labels = graph.external("labels", {Dtype::kF32, {}, kSource});
  const Value truth = graph.external("target labels", {Dtype::kF32, {}, kTarget});  // to look at
  const Value strength = graph.external("lambda", {Dtype::kF32, {}, {}});

  const Value x = ops::concat_rows(graph, std::array{source, target});
  const Value features = ops::relu(graph, linear(network, "feature_extractor", x, 15));
  const Value label = linear(network, "label_predictor", features, 1);
  Value domain = ops::grl(graph, features, strength);
  domain = ops::relu(graph, linear(network, "domain_classifier.fc1", domain, 15));
  domain = linear(network, "domain_classifier.fc2", domain, 1);

  const Value label_losses =
      ops::bce_with_logits(graph, ops::slice_rows(graph, label, kSource), labels);
  const std::array<ops::SegmentNumber, 2> domains{{{0, 0}, {1, 1}}};
  const Value domain_losses =
      ops::bce_with_logits(graph, domain, ops::constant_rows(graph, domains));
  draft.objective = {.terms = {{"label loss", ops::mean_rows(graph, label_losses)},
                               {"domain loss", ops::sum_of_means(graph, domain_losses)}},
                     .with = {.rule = SgdOptions{.momentum = 0.9F}},
                     .learning_rate = ops::evaluate_schedule(graph, draft.step, {.start = 0.05})};
  const Value correct =
      ops::count_correct_binary(graph, ops::slice_rows(graph, label, kTarget), truth);
  draft.reads = {correct};

  Workers workers(2);
  const State state(Cpu{}, parameters, seed, std::array{updated_group(draft)});
  const std::vector<std::int64_t> rows{kPoints, kPoints};
  Program program(draft, parameters, state, Cpu{}, workers, rows);
  const std::vector<float> source_points = moons(1, 0), target_points = moons(2, 35);
  std::vector<float> moon(kPoints);
  for (std::size_t i = 0; i < moon.size(); ++i) moon[i] = static_cast<float>(i % 2);
  program.bind(source, source_points.data());
  program.bind(target, target_points.data());
  program.bind(labels, moon.data());
  program.bind(truth, moon.data());
  program.bind(strength, &lambda);
  Sequence training(Cpu{});
  training.append(program.executor(), rows);
  training.run(2000);
  return program.read_scalar(correct) / kPoints;
}

int main() {
  double source_only = 0.0, dann = 0.0;
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    source_only += target_accuracy(0.0F, seed) / 5;
    dann += target_accuracy(0.5F, seed) / 5;
  }
  std::printf("target accuracy: source-only %.3f, DANN %.3f\n", source_only, dann);
  return dann >= source_only + 0.03 ? 0 : 1;
}
