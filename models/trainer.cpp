#include "models/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "kernels/require.h"
#include "models/data/input_values.h"
#include "models/divergence.h"
#include "models/training_graph.h"
#include "runtime/errors.h"
#include "runtime/executor.h"
#include "runtime/safetensors.h"
#include "runtime/sequence.h"
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

}  // namespace

struct Trainer::State {
  // What a column of the records is reported as: a sum over rows as its mean per image.
  struct ReportedRecord {
    ReportColumn column;
    StepRecord record = kRecordLabelLoss;
    std::int64_t rows = 1;
  };

  static std::vector<ReportedRecord> reported_records(std::int64_t source_rows,
                                                      std::int64_t target_rows) {
    const ReportedRecord label_loss{{"label_loss"}, kRecordLabelLoss, source_rows};
    const ReportedRecord learning_rate{{"learning_rate", true}, kRecordLearningRate};
    if (target_rows == 0) return {label_loss, learning_rate};
    const std::int64_t rows = source_rows + target_rows;
    return {label_loss,
            // Mean binary cross-entropy per image whatever the reduction: ln 2 means chance.
            {{"domain_loss"}, kRecordDomainLoss, rows},
            {{"domain_accuracy"}, kRecordDomainCorrect, rows},
            {{"lambda", true}, kRecordLambda},
            learning_rate};
  }

  State(const Recipe& run_recipe, const TrainingData& data, std::uint64_t run_seed,
        const Device& run_device, int threads)
      : recipe(run_recipe),
        seed(run_seed),
        device(run_device),
        context(run_device.context),
        workers(threads),
        input(data.input) {
    require_valid(recipe);
    const TrainingOptions& options = recipe.training;
    GRADFLIP_REQUIRE(data.labelled != nullptr, "trainer: no labelled data");
    require_valid(input);
    require_fits(input, *data.labelled, context, options.source_batch);
    has_domain_classifier = data.unlabelled != nullptr;
    if (has_domain_classifier) {
      require_fits(input, *data.unlabelled, context, options.target_batch);
    }
    num_classes = data.labelled->num_classes();
    steps_per_epoch = data.labelled->count() / options.source_batch;
    total_steps = options.steps > 0 ? options.steps : options.epochs * steps_per_epoch;
    rows[kSource] = options.source_batch;
    rows[kTarget] = has_domain_classifier ? options.target_batch : 0;
    build(data);
    declare_reports();
  }

  void build(const TrainingData& data) {
    const DatasetShape unlabelled =
        has_domain_classifier ? data.unlabelled->shape() : DatasetShape{};
    training = build_training_graph(
        recipe, input, data.labelled->shape(), num_classes, unlabelled, seed, total_steps,
        parameters, {.whole_batch = batch_cut(context).whole(), .record_capacity = kStepsPerLook});
    input_memory = std::make_unique<InputMemory>(context, input);
    memory = std::make_unique<TrainingMemory>(context, parameters, seed);
    executor = std::make_unique<Executor>(training.graph, parameters, memory->blocks(), context,
                                          workers, rows);
    memory->bind(*executor, training.update);
    sequence.append(*executor, {rows.begin(), rows.end()});
    records = Buffer(context, training.graph.type(training.records).shape.size() * 4);
    host_records.resize(static_cast<std::size_t>(records.bytes() / 4));
    executor->bind(training.records, records.data());
    input_memory->bind(*executor, training.input);
    executor->bind(training.labelled_samples, data.labelled->samples());
    executor->bind(training.labels, data.labelled->labels());
    if (has_domain_classifier) {
      executor->bind(training.unlabelled_samples, data.unlabelled->samples());
    }
  }

  void declare_reports() {
    reported = reported_records(rows[kSource], rows[kTarget]);
    for (const ReportedRecord& each : reported) columns.push_back(each.column);
    step_values.resize(columns.size());
    epoch = block = StepMeans(columns);
  }

  // Takes what is known of the steps up to `end`, which the records still hold, into the reports.
  void report_until(std::int64_t end, StepMeans& means) {
    if (steps_done >= end) return;
    copy_to_host(context, host_records.data(), records.data(), records.bytes());
    for (; steps_done < end; ++steps_done) {
      take_values_of(steps_done);
      if (steps_done % steps_per_epoch == 0) epoch.clear();
      epoch.add(step_values);
      means.add(step_values);
    }
  }

  void take_values_of(std::int64_t step) {
    const float* record =
        host_records.data() + step % kStepsPerLook * step_record_columns(has_domain_classifier);
    for (std::size_t i = 0; i < reported.size(); ++i) {
      step_values[i] = record[reported[i].record] / static_cast<double>(reported[i].rows);
    }
  }

  void throw_if_diverged(StepMeans& means) {
    const FiniteGuard seen = memory->guard();
    if (seen.frozen == 0) return;
    report_until(seen.step, means);
    Divergence divergence{seen.step, guarded_quantity(seen.quantity, has_domain_classifier), {}};
    if (is_guarded_gradient(seen.quantity, has_domain_classifier)) {
      const std::int32_t parameter = parameters.at_offset(seen.index);
      if (parameter >= 0) divergence.parameter = parameters[parameter].name;
    }
    throw DivergedError(message_of(divergence, recipe, has_domain_classifier));
  }

  Recipe recipe;
  std::uint64_t seed;
  Device device;  // keeps alive what the context refers to
  Context context;
  Workers workers;
  NetworkInput input;
  bool has_domain_classifier = false;
  std::int64_t num_classes = 0;
  std::int64_t steps_per_epoch = 0, total_steps = 0, steps_done = 0;
  std::array<std::int64_t, 2> rows{};

  std::unique_ptr<InputMemory> input_memory;
  Buffer records;
  std::vector<float> host_records;
  std::vector<ReportedRecord> reported;
  std::vector<ReportColumn> columns;
  std::vector<double> step_values;  // of one step, a value for each column
  StepMeans epoch;                  // of the current epoch's steps so far
  StepMeans block;                  // of the steps of one run()
  Parameters parameters;
  std::unique_ptr<TrainingMemory> memory;
  TrainingGraph training;
  std::unique_ptr<Executor> executor;
  Sequence sequence{context};
};

Trainer::Trainer(const Recipe& recipe, const TrainingData& data, std::uint64_t seed,
                 const Device& device, int threads)
    : state_(std::make_unique<State>(recipe, data, seed, device, threads)) {}

Trainer::~Trainer() = default;

std::int64_t Trainer::total_steps() const { return state_->total_steps; }
std::int64_t Trainer::steps_done() const { return state_->steps_done; }
std::int64_t Trainer::steps_per_epoch() const { return state_->steps_per_epoch; }
std::int64_t Trainer::images_per_step() const {
  return state_->rows[kSource] + state_->rows[kTarget];
}

const StepReport& Trainer::run(std::int64_t count) {
  State& s = *state_;
  const std::int64_t end = s.steps_done + std::min(count, s.total_steps - s.steps_done);
  StepMeans& means = s.block;
  means.clear();
  while (s.steps_done < end) {
    const std::int64_t steps = std::min(kStepsPerLook, end - s.steps_done);
    s.sequence.run(steps);
    s.throw_if_diverged(means);
    s.report_until(s.steps_done + steps, means);
  }
  return means.report();
}

const StepReport& Trainer::epoch_report() const { return state_->epoch.report(); }
const std::vector<ReportColumn>& Trainer::report_columns() const { return state_->columns; }

std::unique_ptr<Evaluator> Trainer::evaluator(const LabelledDeviceData& data) {
  State& s = *state_;
  return std::make_unique<Evaluator>(
      EvaluatedNetwork{s.parameters, s.memory->blocks(), s.context, s.workers, s.input,
                       *s.input_memory, s.num_classes, s.recipe.training.precision},
      data);
}

double Trainer::evaluate(const LabelledDeviceData& data) { return evaluator(data)->accuracy(); }

const Graph& Trainer::graph() const { return state_->training.graph; }
void Trainer::observe(LaunchObserver* observer) { state_->executor->observe(observer); }

std::vector<float> Trainer::weights() const {
  std::vector<float> flat(static_cast<std::size_t>(state_->parameters.flat_size()));
  copy_to_host(state_->context, flat.data(), state_->memory->blocks().weights.data(),
               state_->memory->blocks().weights.bytes());
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
  copy_from_host(state_->context, state_->memory->blocks().weights.data(), flat.data(),
                 state_->memory->blocks().weights.bytes());
}

void Trainer::save(const std::filesystem::path& path) const {
  const std::vector<NamedTensor> tensors = parameters();
  SafetensorsTensors file;
  for (const NamedTensor& tensor : tensors) {
    file[tensor.name] = {"F32", tensor.shape, std::as_bytes(std::span(tensor.values))};
  }
  write_safetensors(path, file,
                    {{"format", "gradflip"},
                     {"network", "paper-mnist"},
                     {"preset", state_->recipe.training.preset},
                     {"num_classes", std::to_string(state_->num_classes)},
                     {"channel_means", fmt::format("{}", fmt::join(state_->input.means, ","))},
                     {"seed", std::to_string(state_->seed)},
                     {"steps", std::to_string(state_->steps_done)}});
}

}  // namespace gradflip
