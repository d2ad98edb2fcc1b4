// What a method writes an update into: samples of the domains, the three parts of the network, a
// recipe's numbers, and what is made small. It becomes a draft (runtime/draft.h), in which
// everything of runtime/ops can stand.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/data/domain_data.h"
#include "models/data/input_values.h"
#include "models/data/samples.h"
#include "models/network.h"
#include "models/recipe.h"
#include "runtime/draft.h"
#include "runtime/graph.h"
#include "runtime/parameters.h"

namespace gradflip {

// What all updates of a run are written for.
struct StepSetting {
  const Network& network;
  const Recipe& recipe;
  Parameters& parameters;  // where the network's parts declare theirs
  DatasetShape source;
  std::int64_t num_classes = 0;
  DatasetShape target;  // of count 0: there is none
  std::uint64_t seed = 0;
  std::int64_t total_steps = 1;  // of the run, which schedules span
};

// External values of a draft, to be bound beside the step counter; none() where the update does not
// use them.
struct StepInputs {
  Value source_samples, labels, target_samples;
  InputValues input;
};

class Step {
 public:
  // `name`: of the draft. own_samples: those that it draws are others than the step's, and each time
  // that it runs others again; the same goes for dropout.
  Step(const StepSetting& setting, std::string name, bool own_samples = false);
  Step(const Step&) = delete;  // its builders refer to its graph
  Step& operator=(const Step&) = delete;

  Graph& graph() { return draft_.graph; }
  const TrainingOptions& training() const { return setting_.recipe.training; }
  // A type that stands in Method::options.
  template <typename Options>
  const Options& options() const {
    return setting_.recipe.of<Options>();
  }
  std::int64_t total_steps() const { return setting_.total_steps; }

  // The samples that this step draws of these domains, ready for the feature extractor: f32 rows x
  // input.sample. Each domain has its own order and batch, and every call, whichever update of the
  // step makes it, gets the same. Throws std::invalid_argument for the target where there is none,
  // and for segments that are no domain's.
  // Pictures are changed as the recipe says (--augment), anew on each step.
  Value samples(Rows domains);
  // The same rows, pictures changed in another way: each view draws numbers of its own, below 256;
  // view 0's are those of samples(). Every call with the same arguments gets the same value.
  //
  //   const Value strong = step.view(kTargetRows, parse_augmentation("strong"), 1);
  //
  // To take two views through a layer together, the second becomes a further segment:
  //
  //   const Rows second = step.further_rows(kTarget);
  //   const Value both = ops::concat_rows(graph, std::array{weak, ops::as_segment(graph, strong,
  //                                                                              second)});
  Value view(Rows domains, const Augmentation& augmentation, int number);
  // Rows beside those of the domains, as many as are drawn of this one.
  Rows further_rows(int domain);
  // Labels of the source's samples: i32 rows x (). The target has none.
  Value labels();

  // The network's parts on these values, with the weights of a bank: 0 is the one that is trained;
  // others are constants, applied as an evaluation applies them. Throws std::invalid_argument
  // if the network lacks the part, or a head's logits are not as many as it was asked for.
  Value feature_extractor(Value x, int bank = 0);
  Value label_predictor(Value features, int bank = 0);
  Value domain_classifier(Value features, std::int64_t num_logits, int bank = 0);

  // Its value on this step, an f32 scalar. It spans the run, whatever its total_steps.
  Value schedule(Schedule schedule);
  // The recipe's, over the run.
  Value learning_rate();

  // What the update makes small, once for each update. The first with the recipe's optimizer and
  // learning rate. over: the parts of the network that it changes; empty: all that are declared by
  // the time the whole method is written.
  void minimise(std::vector<Term> terms, ParameterGroup over = {});
  void minimise(Objective objective);

  // A bank that follows the trained weights, once they are updated (Average in runtime/draft.h).
  void average(const Average& average) { draft_.averages.push_back(average); }

  // What is told of the step, in this order (Report in runtime/draft.h).
  void report(Report report) { draft_.reports.push_back(std::move(report)); }

  const std::vector<Report>& reports() const { return draft_.reports; }

  // What has been written. The step is used up.
  Draft take_draft();
  const StepInputs& inputs() const { return inputs_; }
  // Rows of each segment, 0 of a domain that it draws nothing of; and images through the feature
  // extractor.
  const std::vector<std::int64_t>& rows() const { return rows_; }
  std::int64_t images() const { return images_; }

 private:
  struct Drawn {
    Rows domains;
    int view = 0;
    std::vector<Augmentation> of_source;
    Value samples;
  };

  // What samples and dropout are drawn by: the step, or the update's own runs.
  Value counter() const { return draft_.runs.none() ? draft_.step : draft_.runs; }
  Value indices(int domain);
  Value drawn(Rows domains, int view, std::vector<Augmentation> of_source);
  NetworkBuilder& builder(int bank);
  void require_part(bool there, const char* part) const;
  Value require_logits(Value logits, std::int64_t count, const char* part) const;

  StepSetting setting_;
  Draft draft_;
  StepInputs inputs_;
  std::array<Value, 2> indices_;
  std::vector<Drawn> drawn_;
  Value row_labels_;
  std::vector<std::int64_t> rows_ = {0, 0};
  std::vector<int> domains_ = {kSource, kTarget};  // of each segment
  std::int64_t images_ = 0;
  Value learning_rate_;
  std::vector<NetworkBuilder> builders_;  // by bank
};

}  // namespace gradflip
