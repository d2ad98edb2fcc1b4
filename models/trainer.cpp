#include "models/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <tuple>

#include "kernels/require.h"
#include "models/data/input_values.h"
#include "models/divergence.h"
#include "models/stage_run.h"
#include "runtime/errors.h"
#include "runtime/safetensors.h"

namespace gradflip {
namespace {

// Steps between two looks of the host at losses and guard: on a GPU a look costs about as much as
// one step of a small batch.
constexpr std::int64_t kStepsPerLook = 64;

// That the network can take the set, and a step its batch.
void require_fits(const NetworkInput& input, const DeviceData& data, const Context& context,
                  std::int64_t batch) {
  data.require_on(context);
  require_takes(input, data);
  if (data.count() < batch) {
    throw DataError(message(data.name(), ": ", data.count(), " ", noun_of(data.shape().dtype), "s",
                            " are fewer than a batch of ", batch, "; use a smaller --batch"));
  }
}

const LabelledDeviceData& checked_source(const Method& method, const Network& network,
                                         const Recipe& recipe, const TrainingData& data,
                                         const Context& context) {
  require_valid(recipe);
  require_valid(network.input);
  GRADFLIP_REQUIRE(data.source != nullptr, "trainer: no source");
  require_fits(network.input, *data.source, context, recipe.training.source_batch);
  if (method.reads_target) {
    GRADFLIP_REQUIRE(data.target != nullptr,
                     message("trainer: ", method.name, " learns from a target, and there is none"));
    require_fits(network.input, *data.target, context, recipe.training.target_batch);
  }
  return *data.source;
}

std::vector<UpdatedGroup> groups_of(std::span<const std::vector<WrittenUpdate>> stages) {
  std::vector<UpdatedGroup> groups;
  for (const std::vector<WrittenUpdate>& stage : stages) {
    for (const WrittenUpdate& update : stage) {
      if (update.draft.objective) groups.push_back(updated_group(update.draft));
    }
  }
  return groups;
}

}  // namespace

struct Trainer::State {
  State(const Method& run_method, const Network& run_network, const Recipe& run_recipe,
        const TrainingData& data, std::uint64_t run_seed, const Device& run_device, int threads)
      : method(run_method),
        network(run_network),
        recipe(run_recipe),
        seed(run_seed),
        device(run_device),
        context(run_device.context),
        workers(threads),
        source(checked_source(method, network, recipe, data, context)),
        target(method.reads_target ? data.target : nullptr),
        input_memory(context, network.input) {
    const TrainingOptions& options = recipe.training;
    steps_per_epoch = source.count() / options.source_batch;
    total_steps = options.steps > 0 ? options.steps : options.epochs * steps_per_epoch;
    stages = method.stages(recipe);
    ends = stage_ends(stages, total_steps);
    write();
    state.emplace(context, parameters, seed, groups_of(written), method.banks);
    begin_stage(0);
  }

  // All stages, so that the parameters of all are declared before any memory is made.
  void write() {
    const StepSetting setting{.network = network,
                              .recipe = recipe,
                              .parameters = parameters,
                              .source = source.shape(),
                              .num_classes = source.num_classes(),
                              .target = target == nullptr ? DatasetShape{} : target->shape(),
                              .seed = seed,
                              .total_steps = total_steps};
    for (const Stage& each : stages) {
      written.push_back(write_stage(each, setting));
      for (const ReportColumn& column : columns_of(written.back())) {
        const bool known =
            std::any_of(columns.begin(), columns.end(),
                        [&](const ReportColumn& other) { return other.name == column.name; });
        if (!known) columns.push_back(column);
      }
    }
  }

  void copy_banks() {
    for (const BankCopy& copy : stages[stage].copies) {
      const Buffer& from = state->parameter_blocks().bank(copy.from);
      copy_within(context, state->parameter_blocks().bank(copy.to).data(), from.data(),
                  from.bytes());
    }
  }

  // From this stage on, the first one that has a step left. It takes the place of the one before.
  void begin_stage(std::size_t number) {
    stage = number;
    copy_banks();
    while (steps_done >= ends[stage]) {
      ++stage;
      copy_banks();
    }
    const std::vector<ReportColumn> of_stage = columns_of(written[stage]);
    step_values.resize(of_stage.size());
    epoch = block = StepMeans(of_stage);
    running.reset();  // its memory first
    running.emplace(
        std::move(written[stage]),
        StageContext{parameters, *state, context, workers, input_memory, source, target},
        StageOptions{.record_capacity = kStepsPerLook});
  }

  // Takes what is known of the steps up to `end`, which the records still hold, into the reports.
  void report_until(std::int64_t end) {
    if (steps_done >= end) return;
    running->fetch_reports();
    images_done += (end - steps_done) * running->images_per_step();
    for (; steps_done < end; ++steps_done) {
      running->values_of(steps_done, step_values);
      if (steps_done % steps_per_epoch == 0) epoch.clear();
      epoch.add(step_values);
      block.add(step_values);
    }
  }

  void throw_if_diverged() {
    const FiniteGuard seen = state->guard();
    if (seen.frozen == 0) return;
    report_until(seen.step);
    Divergence divergence;
    divergence.step = seen.step;
    std::tie(divergence.update, divergence.quantity) = running->quantity(seen.quantity);
    if (divergence.quantity == kGradientQuantity) {
      const std::int32_t parameter = parameters.at_offset(seen.index);
      if (parameter >= 0) divergence.parameter = parameters[parameter].name;
    }
    throw DivergedError(message_of(divergence, suspects_of(method, divergence, recipe)));
  }

  Method method;
  Network network;
  Recipe recipe;
  std::uint64_t seed;
  Device device;  // keeps alive what the context refers to
  Context context;
  Workers workers;
  const LabelledDeviceData& source;
  const DeviceData* target;
  InputMemory input_memory;
  std::int64_t steps_per_epoch = 0, total_steps = 0, steps_done = 0, images_done = 0;

  std::vector<Stage> stages;
  std::vector<std::int64_t> ends;  // of each stage
  std::size_t stage = 0;
  std::vector<std::vector<WrittenUpdate>> written;  // of each stage that has not begun
  Parameters parameters;
  std::optional<gradflip::State> state;
  std::optional<StageRun> running;

  std::vector<ReportColumn> columns;  // of all stages
  std::vector<double> step_values;    // of one step, a value for each column of the stage
  StepMeans epoch;                    // of the current epoch's steps so far
  StepMeans block;                    // of the steps of one run()
};

Trainer::Trainer(const Method& method, const Network& network, const Recipe& recipe,
                 const TrainingData& data, std::uint64_t seed, const Device& device, int threads)
    : state_(std::make_unique<State>(method, network, recipe, data, seed, device, threads)) {}

Trainer::~Trainer() = default;

std::int64_t Trainer::total_steps() const { return state_->total_steps; }
std::int64_t Trainer::steps_done() const { return state_->steps_done; }
std::int64_t Trainer::steps_per_epoch() const { return state_->steps_per_epoch; }
std::int64_t Trainer::images_done() const { return state_->images_done; }

const StepReport& Trainer::run(std::int64_t count) {
  State& s = *state_;
  s.block.clear();
  if (s.steps_done >= s.total_steps) return s.block.report();
  if (s.steps_done >= s.ends[s.stage]) s.begin_stage(s.stage + 1);
  const std::int64_t end = s.steps_done + std::min(count, s.ends[s.stage] - s.steps_done);
  while (s.steps_done < end) {
    const std::int64_t steps = std::min(kStepsPerLook, end - s.steps_done);
    s.running->run(steps);
    s.throw_if_diverged();
    s.report_until(s.steps_done + steps);
  }
  return s.block.report();
}

const StepReport& Trainer::epoch_report() const { return state_->epoch.report(); }
const std::vector<ReportColumn>& Trainer::report_columns() const { return state_->columns; }

std::unique_ptr<Evaluator> Trainer::evaluator(const LabelledDeviceData& data) {
  State& s = *state_;
  return std::make_unique<Evaluator>(
      EvaluatedNetwork{s.network, s.parameters, *s.state, s.context, s.workers, s.input_memory,
                       s.source.num_classes(), s.recipe.training.precision},
      data);
}

double Trainer::evaluate(const LabelledDeviceData& data) { return evaluator(data)->accuracy(); }

Program& Trainer::program(std::size_t update) { return state_->running->program(update); }

std::vector<float> Trainer::weights() const {
  std::vector<float> flat(static_cast<std::size_t>(state_->parameters.flat_size()));
  copy_to_host(state_->context, flat.data(), state_->state->parameter_blocks().weights.data(),
               state_->state->parameter_blocks().weights.bytes());
  return flat;
}

std::vector<NamedTensor> Trainer::parameters() const {
  const std::vector<float> flat = weights();
  std::vector<NamedTensor> tensors;
  for (const Parameter& parameter : state_->parameters.list()) {
    NamedTensor tensor{
        parameter.name, {}, std::vector<float>(static_cast<std::size_t>(parameter.shape.size()))};
    for (int axis = 0; axis < parameter.file.shape.rank(); ++axis) {
      tensor.shape.push_back(parameter.file.shape[axis]);
    }
    to_file_order(parameter, flat.data(), tensor.values.data());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void Trainer::set_parameters(const std::vector<NamedTensor>& tensors) {
  std::vector<float> flat = weights();
  const std::vector<Parameter>& list = state_->parameters.list();
  GRADFLIP_REQUIRE(
      tensors.size() == list.size(),
      message("trainer: ", tensors.size(), " tensors for ", list.size(), " parameters"));
  for (const Parameter& parameter : list) {
    const auto tensor = std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& other) {
      return other.name == parameter.name;
    });
    GRADFLIP_REQUIRE(tensor != tensors.end(),
                     message("trainer: no tensor is called ", parameter.name));
    GRADFLIP_REQUIRE(Shape(tensor->shape) == parameter.file.shape &&
                         tensor->values.size() == static_cast<std::size_t>(parameter.shape.size()),
                     message("trainer: ", parameter.name, " has the shape ",
                             parameter.file.shape.text(), ", not ", Shape(tensor->shape).text()));
    from_file_order(parameter, tensor->values.data(), flat.data());
  }
  copy_from_host(state_->context, state_->state->parameter_blocks().weights.data(), flat.data(),
                 state_->state->parameter_blocks().weights.bytes());
}

void Trainer::save(const std::filesystem::path& path) const {
  const std::vector<NamedTensor> tensors = parameters();
  SafetensorsTensors file;
  for (const NamedTensor& tensor : tensors) {
    file[tensor.name] = {"F32", tensor.shape, std::as_bytes(std::span(tensor.values))};
  }
  write_safetensors(
      path, file,
      {{"format", "gradflip"},
       {"network", state_->network.name},
       {"method", state_->method.name},
       {"preset", state_->recipe.training.preset},
       {"num_classes", std::to_string(state_->source.num_classes())},
       {"channel_means", fmt::format("{}", fmt::join(state_->network.input.means, ","))},
       {"seed", std::to_string(state_->seed)},
       {"steps", std::to_string(state_->steps_done)}});
}

}  // namespace gradflip
