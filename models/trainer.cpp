#include "models/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>

#include "kernels/require.h"
#include "models/data/input_values.h"
#include "models/divergence.h"
#include "models/stage_run.h"
#include "models/written_method.h"
#include "runtime/errors.h"
#include "runtime/safetensors.h"
#include "runtime/sharding.h"

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

// A method that is not in the list has options that the caller may not have asked for.
Recipe with_options_of(const Method& method, Recipe recipe) {
  for (const MethodOptions& options : method.options) recipe.add(options);
  return recipe;
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

}  // namespace

struct Trainer::State {
  State(const Method& run_method, const Network& run_network, const Recipe& run_recipe,
        const TrainingData& data, std::uint64_t run_seed, const Device& run_device, int threads)
      : method(run_method),
        network(run_network),
        recipe(with_options_of(run_method, run_recipe)),
        seed(run_seed),
        device(run_device),
        context(run_device.context),
        workers(threads),
        source(checked_source(method, network, recipe, data, context)),
        target(method.reads_target ? data.target : nullptr),
        given_target(data.target),
        input_memory(context, network.input) {
    const TrainingOptions& options = recipe.training;
    steps_per_epoch = source.count() / options.source_batch;
    total_steps = options.steps > 0 ? options.steps : options.epochs * steps_per_epoch;
    written = write_method(method,
                           {.network = network,
                            .recipe = recipe,
                            .parameters = parameters,
                            .source = source.shape(),
                            .num_classes = source.num_classes(),
                            .target = target == nullptr ? DatasetShape{} : target->shape(),
                            .seed = seed,
                            .total_steps = total_steps},
                           batch_cut(context).whole());
    epoch = block = StepMeans(written.columns);
    state.emplace(context, parameters, seed, groups_of(written), method.banks);
    begin_stage();
  }

  const WrittenMethod::StageOfRun& current() const { return written.stages[stage]; }
  bool stage_has_begun() const { return running && steps_done < current().end; }

  // The stage of the next step, which takes the place of the one before. There is a step left.
  void begin_stage() {
    running.reset();  // its memory first
    while (steps_done >= current().end) ++stage;
    const std::vector<ReportColumn>& all = written.columns;
    places.clear();
    for (const ReportColumn& column : columns_of(current().updates)) {
      const auto found = std::find(all.begin(), all.end(), column);
      places.push_back(static_cast<std::size_t>(found - all.begin()));
    }
    step_values.resize(places.size());
    running.emplace(
        current().updates,
        StageContext{parameters, *state, context, workers, input_memory, source, target},
        StageOptions{.record_capacity = kStepsPerLook});
  }

  // Those of the stages up to the current one that have not been made, before its first step: a
  // run may have been given other weights since it was set up.
  void copy_banks() {
    for (; copied <= stage; ++copied) {
      for (const BankCopy& copy : written.stages[copied].copies) {
        const Buffer& from = state->parameter_blocks().bank(copy.from);
        copy_within(context, state->parameter_blocks().bank(copy.to).data(), from.data(),
                    from.bytes());
      }
    }
  }

  // The training set whose statistics an evaluation on this domain is to take; null: none. Of a
  // target that the run was not given, it takes the source's.
  const DeviceData* estimated_from(int domain) const {
    if (recipe.training.evaluation_statistics != EvaluationStatistics::kEstimated) return nullptr;
    return domain == kTarget && given_target != nullptr ? given_target : &source;
  }

  // Takes what is known of the steps up to `end`, which the records still hold, into the reports.
  void report_until(std::int64_t end) {
    if (steps_done >= end) return;
    running->fetch_reports();
    images_done += (end - steps_done) * running->images_per_step();
    for (; steps_done < end; ++steps_done) {
      running->values_of(steps_done, step_values);
      if (steps_done % steps_per_epoch == 0) epoch.clear();
      epoch.add(step_values, places);
      block.add(step_values, places);
    }
  }

  void throw_if_diverged() {
    const FiniteGuard seen = state->guard();
    if (seen.frozen == 0) return;
    report_until(seen.step);
    const auto [place, quantity] = running->quantity(seen.quantity);
    const std::vector<WrittenUpdate>& updates = current().updates;
    Divergence divergence{.step = seen.step, .quantity = quantity};
    divergence.update = updates[place].draft.name;
    divergence.stage_step = seen.step - (stage == 0 ? 0 : written.stages[stage - 1].end);
    // Of an update that is repeated, too: which repetition it was is not known.
    divergence.after_an_update = place > 0 || updates[place].times > 1;
    if (quantity == kGradientQuantity) {
      const std::int32_t parameter = parameters.at_offset(seen.index);
      if (parameter >= 0) divergence.parameter = parameters[parameter].name;
    }
    const std::vector<std::string> suspects = suspects_of(method, divergence, recipe);
    if (updates.size() == 1) divergence.update.clear();  // there is nothing to tell apart
    throw DivergedError(message_of(divergence, suspects));
  }

  Method method;
  Network network;
  Recipe recipe;
  std::uint64_t seed;
  Device device;  // keeps alive what the context refers to
  Context context;
  Workers workers;
  const LabelledDeviceData& source;
  const DeviceData* target;        // that the method learns from
  const DeviceData* given_target;  // also where it does not
  InputMemory input_memory;
  std::int64_t steps_per_epoch = 0, total_steps = 0, steps_done = 0, images_done = 0;

  Parameters parameters;
  WrittenMethod written;
  std::size_t stage = 0, copied = 0;  // copied: stages whose copies of banks have been made
  std::optional<gradflip::State> state;
  std::optional<StageRun> running;

  std::vector<std::size_t> places;  // among all columns, of those of the current stage
  std::vector<double> step_values;  // of one step, a value for each of these
  StepMeans epoch;                  // of the current epoch's steps so far
  StepMeans block;                  // of the steps of one run()
};

Trainer::Trainer(const Method& method, const Network& network, const Recipe& recipe,
                 const TrainingData& data, std::uint64_t seed, const Device& device, int threads)
    : state_(std::make_unique<State>(method, network, recipe, data, seed, device, threads)) {}

Trainer::~Trainer() = default;

std::int64_t Trainer::total_steps() const { return state_->total_steps; }
std::int64_t Trainer::steps_done() const { return state_->steps_done; }
std::int64_t Trainer::steps_per_epoch() const { return state_->steps_per_epoch; }
std::int64_t Trainer::images_done() const { return state_->images_done; }

bool Trainer::prepare() {
  State& s = *state_;
  if (s.steps_done >= s.total_steps || s.stage_has_begun()) return false;
  s.begin_stage();
  return true;
}

const StepReport& Trainer::run(std::int64_t count) {
  State& s = *state_;
  s.block.clear();
  if (count <= 0 || s.steps_done >= s.total_steps) return s.block.report();
  prepare();
  s.copy_banks();
  const std::int64_t end = s.steps_done + std::min(count, s.current().end - s.steps_done);
  while (s.steps_done < end) {
    const std::int64_t steps = std::min(kStepsPerLook, end - s.steps_done);
    s.running->run(steps);
    s.throw_if_diverged();
    s.report_until(s.steps_done + steps);
  }
  return s.block.report();
}

const StepReport& Trainer::epoch_report() const { return state_->epoch.report(); }
const std::vector<ReportColumn>& Trainer::report_columns() const { return state_->written.columns; }

std::unique_ptr<Evaluator> Trainer::evaluator(const LabelledDeviceData& data, int domain) {
  State& s = *state_;
  std::unique_ptr<StatisticsEstimate> estimate;
  if (const DeviceData* of_domain = s.estimated_from(domain)) {
    estimate = std::make_unique<StatisticsEstimate>(
        EstimatedNetwork{s.network, s.parameters, *s.state, s.context, s.workers, s.input_memory,
                         s.source.num_classes(), pass_of(s.recipe.training)},
        *of_domain, domain);
  }
  return std::make_unique<Evaluator>(
      EvaluatedNetwork{s.network, s.parameters, *s.state, s.context, s.workers, s.input_memory,
                       s.source.num_classes(), pass_of(s.recipe.training)},
      data, domain, std::move(estimate));
}

double Trainer::evaluate(const LabelledDeviceData& data, int domain) {
  return evaluator(data, domain)->accuracy();
}

Program& Trainer::program(std::size_t update) {
  prepare();
  return state_->running->program(update);
}

std::vector<float> Trainer::weights(int bank) const {
  std::vector<float> flat(static_cast<std::size_t>(state_->parameters.flat_size()));
  const Buffer& memory = state_->state->parameter_blocks().bank(bank);
  copy_to_host(state_->context, flat.data(), memory.data(), memory.bytes());
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
