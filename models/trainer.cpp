#include "models/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "kernels/require.h"
#include "models/dann.h"
#include "models/divergence.h"
#include "models/network_input.h"
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

void require_batch(const Images& images, std::int64_t batch, const std::string& what) {
  if (images.count < batch) {
    throw DataError(message(what, ": ", images.count, " pictures are fewer than a batch of ", batch,
                            "; use a smaller --batch"));
  }
}

void require_means(const std::vector<float>& means) {
  GRADFLIP_REQUIRE(means.size() == kImageChannels,
                   message("trainer: ", means.size(), " channel means; expected ", kImageChannels));
  for (const float mean : means) {
    GRADFLIP_REQUIRE(std::isfinite(mean), message("trainer: a channel mean is ", mean));
  }
}

}  // namespace

struct Trainer::State {
  State(const Recipe& run_recipe, const TrainingData& data, std::uint64_t run_seed,
        const Device& run_device, int threads)
      : recipe(run_recipe),
        seed(run_seed),
        device(run_device),
        context(run_device.context),
        workers(threads) {
    require_valid(recipe);
    const TrainingOptions& options = recipe.training;
    GRADFLIP_REQUIRE(data.labelled != nullptr, "trainer: no labelled pictures");
    require_means(data.channel_means);
    const LabelledImages& labelled = *data.labelled;
    require_fits(labelled, labelled.num_classes, "labelled training set");
    require_batch(labelled.images, options.source_batch, "labelled training set");
    has_domain_classifier = data.unlabelled != nullptr;
    if (has_domain_classifier) {
      require_fits(data.unlabelled->images, "unlabelled training set");
      require_batch(data.unlabelled->images, options.target_batch, "unlabelled training set");
    }
    num_classes = labelled.num_classes;
    steps_per_epoch = labelled.images.count / options.source_batch;
    total_steps = options.steps > 0 ? options.steps : options.epochs * steps_per_epoch;
    rows[kSource] = options.source_batch;
    rows[kTarget] = has_domain_classifier ? options.target_batch : 0;
    upload(data);
    build(data);
  }

  void upload(const TrainingData& data) {
    const auto to_context = [&](const std::vector<std::uint8_t>& bytes) {
      Buffer buffer(context, static_cast<std::int64_t>(bytes.size()));
      copy_from_host(context, buffer.data(), bytes.data(), buffer.bytes());
      return buffer;
    };
    labelled_images = to_context(data.labelled->images.pixels);
    labels = to_context(data.labelled->labels);
    if (has_domain_classifier) unlabelled_images = to_context(data.unlabelled->images.pixels);
    channel_means = Buffer(context, kImageChannels * 4);
    copy_from_host(context, channel_means.data(), data.channel_means.data(), channel_means.bytes());
    host_channel_means = data.channel_means;
  }

  void build(const TrainingData& data) {
    const DatasetShape unlabelled =
        has_domain_classifier ? dataset_shape(data.unlabelled->images) : DatasetShape{};
    training = build_training_graph(
        recipe, dataset_shape(data.labelled->images), num_classes, unlabelled, seed, total_steps,
        parameters, {.whole_batch = batch_cut(context).whole(), .record_capacity = kStepsPerLook});
    memory = std::make_unique<TrainingMemory>(context, parameters, seed);
    executor = std::make_unique<Executor>(training.graph, parameters, memory->blocks(), context,
                                          workers, rows);
    memory->bind(*executor, training.update);
    sequence.append(*executor, {rows.begin(), rows.end()});
    records = Buffer(context, training.graph.type(training.records).shape.size() * 4);
    host_records.resize(static_cast<std::size_t>(records.bytes() / 4));
    executor->bind(training.records, records.data());
    executor->bind(training.labelled_images, labelled_images.data());
    executor->bind(training.labels, labels.data());
    executor->bind(training.channel_means, channel_means.data());
    if (has_domain_classifier) {
      executor->bind(training.unlabelled_images, unlabelled_images.data());
    }
  }

  // Takes what is known of the steps up to `end`, which the records still hold, into the reports.
  void report_until(std::int64_t end, StepMeans& means) {
    if (steps_done >= end) return;
    copy_to_host(context, host_records.data(), records.data(), records.bytes());
    for (; steps_done < end; ++steps_done) {
      const StepReport step = report_of(steps_done);
      if (steps_done % steps_per_epoch == 0) epoch = {};
      epoch.add(step);
      means.add(step);
    }
  }

  StepReport report_of(std::int64_t step) const {
    const auto source = static_cast<double>(rows[kSource]);
    const auto images = static_cast<double>(rows[kSource] + rows[kTarget]);
    const float* record =
        host_records.data() + step % kStepsPerLook * step_record_columns(has_domain_classifier);
    StepReport report{.steps = 1,
                      .label_loss = record[kRecordLabelLoss] / source,
                      .learning_rate = record[kRecordLearningRate]};
    if (!has_domain_classifier) return report;
    report.domain_loss = record[kRecordDomainLoss] / images;
    report.domain_accuracy = record[kRecordDomainCorrect] / images;
    report.lambda = record[kRecordLambda];
    return report;
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
  bool has_domain_classifier = false;
  std::int64_t num_classes = kNumClasses;
  std::int64_t steps_per_epoch = 0, total_steps = 0, steps_done = 0;
  std::array<std::int64_t, 2> rows{};

  Buffer labelled_images, labels, unlabelled_images, channel_means, records;
  std::vector<float> host_channel_means, host_records;
  StepMeans epoch;  // of the current epoch's steps so far
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

StepReport Trainer::run(std::int64_t count) {
  State& s = *state_;
  const std::int64_t end = s.steps_done + std::min(count, s.total_steps - s.steps_done);
  StepMeans means;
  while (s.steps_done < end) {
    const std::int64_t steps = std::min(kStepsPerLook, end - s.steps_done);
    s.sequence.run(steps);
    s.throw_if_diverged(means);
    s.report_until(s.steps_done + steps, means);
  }
  return means.report();
}

StepReport Trainer::epoch_report() const { return state_->epoch.report(); }

std::unique_ptr<Evaluator> Trainer::evaluator(const LabelledImages& data) {
  State& s = *state_;
  return std::make_unique<Evaluator>(
      EvaluatedNetwork{s.parameters, s.memory->blocks(), s.context, s.workers, s.channel_means,
                       s.num_classes, s.recipe.training.precision},
      data);
}

double Trainer::evaluate(const LabelledImages& data) { return evaluator(data)->accuracy(); }

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
  const std::vector<float>& means = state_->host_channel_means;
  write_safetensors(path, file,
                    {{"format", "gradflip"},
                     {"network", "paper-mnist"},
                     {"preset", state_->recipe.training.preset},
                     {"num_classes", std::to_string(state_->num_classes)},
                     {"channel_means", fmt::format("{},{},{}", means[0], means[1], means[2])},
                     {"seed", std::to_string(state_->seed)},
                     {"steps", std::to_string(state_->steps_done)}});
}

}  // namespace gradflip
