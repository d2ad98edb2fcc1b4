#include "apps/dann_mnist/chance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string_view>
#include <vector>

#include "apps/common/report/paper_rows.h"
#include "apps/dann_mnist/modes.h"

namespace gradflip {
namespace {

// What a method calls the mean loss of its label predictor, if it reports one.
constexpr std::string_view kLabelLoss = "label_loss";

constexpr double kShareOfEntropy = 0.99;
constexpr double kDeviations = 2.0;
constexpr double kLearnedShareOfLoss = 0.5;

// Of each class, the share of the pictures that have it.
std::vector<double> shares(const LabelledImages& data) {
  std::vector<double> result(static_cast<std::size_t>(data.num_classes), 0.0);
  for (const std::int32_t label : data.labels) {
    result[static_cast<std::size_t>(label)] += 1.0;  // exact, so that all are 1
  }
  for (double& share : result) share /= static_cast<double>(data.labels.size());
  return result;
}

// The label loss of a network that knows these shares and nothing else.
double guessing_loss(const std::vector<double>& class_shares, double label_smoothing) {
  double loss = 0.0;
  for (const double share : class_shares) {
    const double target = (1.0 - label_smoothing) * share +
                          label_smoothing / static_cast<double>(class_shares.size());
    if (target > 0.0) loss -= target * std::log(target);
  }
  return loss;
}

double largest(const std::vector<double>& class_shares) {
  return *std::max_element(class_shares.begin(), class_shares.end());
}

std::optional<double> label_loss(const EpochResult& epoch) {
  return find_reported(epoch.reported, kLabelLoss);
}

// The last epoch, counted from 1, by the end of which something was learned: what came after it
// lost that. 0: there was none.
int last_epoch(const RunResult& run, const std::function<bool(const EpochResult&)>& has_learned) {
  const auto learned = std::find_if(run.history.rbegin(), run.history.rend(), has_learned);
  return static_cast<int>(run.history.rend() - learned);
}

const EpochResult& epoch_of(const RunResult& run, int number) {
  return run.history[static_cast<std::size_t>(number) - 1];
}

// The learning rates that the method trains by, as a user would lower them.
std::string learning_rates(const RunResult& run) {
  const Method method = method_of(run.mode);
  Divergence late;  // all of its updates were at work
  late.step = late.stage_step = std::max<std::int64_t>(run.steps, 1);
  std::string text;
  for (const std::string& name : suspects_of(method, late, {})) {
    if (name.ends_with("learning-rate")) text += (text.empty() ? "" : " or ") + name;
  }
  return text.empty() ? "learning rate" : text;
}

}  // namespace

std::optional<std::string> chance_note(const RunResult& run, const LabelledImages& learned_from,
                                       const LabelledImages* test, double label_smoothing) {
  if (!run.completed || run.history.empty()) return {};
  const std::vector<double> learned_shares = shares(learned_from);
  if (largest(learned_shares) >= 1.0) return {};
  const EpochResult& last = run.history.back();
  const auto note = [&](const std::string& what, const std::string& remedy) {
    return fmt::format("{} seed {} ends at chance: {}; {} a lower {}", run.mode, run.seed, what,
                       remedy, learning_rates(run));
  };
  const std::string never_learned = "train for longer, or with",
                    collapsed = "try another --seed, or";
  const double guessing = guessing_loss(learned_shares, label_smoothing);
  const std::optional<double> loss = label_loss(last);
  if (loss && *loss >= kShareOfEntropy * guessing) {
    const int epoch = last_epoch(run, [&](const EpochResult& each) {
      return label_loss(each) && *label_loss(each) <= kLearnedShareOfLoss * guessing;
    });
    if (epoch > 0) {
      return note(fmt::format("it collapsed after epoch {}; its label loss was {:.3f} there and is "
                              "{:.3f}, and guessing gives {:.3f}",
                              epoch, *label_loss(epoch_of(run, epoch)), *loss, guessing),
                  collapsed);
    }
    return note(fmt::format("its label loss is {:.3f}, and guessing gives {:.3f}", *loss, guessing),
                never_learned);
  }
  if (test == nullptr) return {};
  const bool on_target = run.mode == kTargetOnly;
  const auto accuracy_of = [&](const EpochResult& epoch) {
    return on_target ? *epoch.target_test_accuracy : epoch.source_test_accuracy;
  };
  const double accuracy = accuracy_of(last);
  const double share = largest(shares(*test));
  const double deviation =
      std::sqrt(share * (1.0 - share) / static_cast<double>(test->labels.size()));
  const double chance = share + kDeviations * deviation;
  // Of one class or a handful of pictures even a network that is always right does no better.
  if (chance >= 1.0 || accuracy > chance) return {};
  const std::string ends = fmt::format(
      "its {} test accuracy is {:.2f} %, and always naming the most frequent class "
      "gives {:.2f} %",
      on_target ? "target" : "source", 100.0 * accuracy, 100.0 * share);
  // Where an earlier epoch was half of the way up from chance, training on does not mend it.
  const int epoch = last_epoch(
      run, [&](const EpochResult& each) { return accuracy_of(each) > (1.0 + chance) / 2; });
  if (epoch == 0) return note(ends, never_learned);
  return note(fmt::format("it collapsed after epoch {}, with {:.2f} %; {}", epoch,
                          100.0 * accuracy_of(epoch_of(run, epoch)), ends),
              collapsed);
}

}  // namespace gradflip
