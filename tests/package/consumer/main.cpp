// A domain-adversarial network of one's own, on the toy of Ganin et al. (JMLR 2016, section 5.1):
// two moons, and the same moons turned by 35 degrees without labels. Prints the target accuracy of
// source-only and of DANN.
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "models/layers.h"
#include "models/training_step.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/random.h"

using namespace gradflip;

constexpr std::int64_t kPoints = 300;  // of each domain; even: upper moon, odd: lower moon
constexpr int kSource = 0, kTarget = 1;

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

float target_accuracy(float lambda) {
  Graph graph;
  Parameters parameters;
  NetworkBuilder network(graph, parameters);
  const Value source = graph.external("source", {Dtype::kF32, {2}, segment_rows(kSource)});
  const Value target = graph.external("target", {Dtype::kF32, {2}, segment_rows(kTarget)});
  const Value labels = graph.external("labels", {Dtype::kF32, {}, segment_rows(kSource)});
  const Value target_labels =
      graph.external("target labels", {Dtype::kF32, {}, segment_rows(kTarget)});
  const Value strength = graph.external("lambda", {Dtype::kF32, {}, {}});
  const Value step = graph.external("step", {Dtype::kI64, {}, {}});

  const Value x = ops::concat_rows(graph, std::array{source, target});
  const Value features = ops::relu(graph, linear(network, "feature_extractor", x, 15));
  const Value label = linear(network, "label_predictor", features, 1);
  Value domain = ops::grl(graph, features, strength);
  domain = ops::relu(graph, linear(network, "domain_classifier.fc1", domain, 15));
  domain = linear(network, "domain_classifier.fc2", domain, 1);

  const Value source_label = ops::slice_rows(graph, label, segment_rows(kSource));
  const Value domains =
      ops::constant_rows(graph, std::array<ops::SegmentNumber, 2>{{{kSource, 0}, {kTarget, 1}}});
  const Value label_losses = ops::bce_with_logits(graph, source_label, labels);
  const Value domain_losses = ops::bce_with_logits(graph, domain, domains);
  const std::array<Term, 2> terms{{{"label loss", ops::mean_rows(graph, label_losses)},
                                   {"domain loss", ops::sum_of_means(graph, domain_losses)}}};
  const Value target_label = ops::slice_rows(graph, label, segment_rows(kTarget));
  const Value correct = ops::count_correct_binary(graph, target_label,
                                                  target_labels);  // to look at, not to learn from
  const TrainingStep training =
      append_training_step(graph, step, terms, parameters, {.momentum = 0.9F},
                           ops::evaluate_schedule(graph, step, {.start = 0.05}));

  Workers workers(2);
  const TrainingMemory memory(Cpu{}, parameters, /*seed=*/1);
  const std::array<std::int64_t, 2> rows{kPoints, kPoints};
  Executor executor(graph, parameters, memory.blocks(), Cpu{}, workers, rows);
  const std::vector<float> source_points = moons(1, 0), target_points = moons(2, 35);
  std::vector<float> moon(kPoints);
  for (std::size_t i = 0; i < moon.size(); ++i) moon[i] = static_cast<float>(i % 2);
  memory.bind(executor, training);
  executor.bind(source, source_points.data());
  executor.bind(target, target_points.data());
  executor.bind(labels, moon.data());
  executor.bind(target_labels, moon.data());
  executor.bind(strength, &lambda);
  for (int i = 0; i < 2000; ++i) executor.run(rows);
  return executor.read_scalar(correct) / kPoints;
}

int main() {
  const float source_only = target_accuracy(0.0F), dann = target_accuracy(0.5F);
  std::printf("target accuracy: source-only %.3f, DANN %.3f\n", source_only, dann);
  return dann >= source_only + 0.05F ? 0 : 1;
}
