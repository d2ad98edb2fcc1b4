#include "models/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "kernels/require.h"
#include "models/dann.h"
#include "models/training_graph.h"
#include "runtime/errors.h"
#include "runtime/executor.h"
#include "runtime/safetensors.h"

namespace gradflip {
namespace {

// Pictures that evaluation takes through the network at once.
constexpr std::int64_t kEvaluationBatch = 512;

DatasetShape shape_of(const Images& images) {
  return {images.count, images.height, images.width, images.channels};
}

void require_fits(const Images& images, const std::string& what) {
  if (images.height != kImageSize || images.width != kImageSize ||
      (images.channels != 1 && images.channels != kImageChannels)) {
    throw DataError(message(what, ": pictures are ", images.width, "x", images.height, "x",
                            images.channels, ", the network takes ", kImageSize, "x", kImageSize,
                            " with 1 or 3 channels"));
  }
}

void require_batch(const Images& images, std::int64_t batch, const std::string& what) {
  if (images.count < batch) {
    throw DataError(message(what, ": ", images.count, " pictures are fewer than a batch of ", batch,
                            "; use a smaller --batch"));
  }
}

}  // namespace

struct Trainer::State {
  State(const TrainingOptions& training_options, const TrainingData& data, std::uint64_t run_seed,
        const Device& device, int threads)
      : options(training_options), seed(run_seed), context(device.context), workers(threads) {
    require_valid(options);
    GRADFLIP_REQUIRE(data.labelled != nullptr, "trainer: no labelled pictures");
    GRADFLIP_REQUIRE(data.channel_means.size() == kImageChannels,
                     message("trainer: ", data.channel_means.size(), " channel means"));
    const LabelledImages& labelled = *data.labelled;
    require_fits(labelled.images, "labelled training set");
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
        has_domain_classifier ? shape_of(data.unlabelled->images) : DatasetShape{};
    training = build_training_graph(options, shape_of(data.labelled->images), num_classes,
                                    unlabelled, seed, total_steps, parameters);
    memory = std::make_unique<TrainingMemory>(context, parameters, seed);
    executor = std::make_unique<Executor>(training.graph, parameters, memory->blocks(), context,
                                          workers, rows);
    memory->bind(*executor, training.update);
    executor->bind(training.labelled_images, labelled_images.data());
    executor->bind(training.labels, labels.data());
    executor->bind(training.channel_means, channel_means.data());
    if (has_domain_classifier) {
      executor->bind(training.unlabelled_images, unlabelled_images.data());
    }
  }

  void throw_if_diverged() const {
    const FiniteGuard seen = memory->guard();
    if (seen.frozen == 0) return;
    std::string what = guarded_quantity(seen.quantity, has_domain_classifier);
    if (what == "gradient") {
      const std::int32_t parameter = parameters.at_offset(seen.index);
      if (parameter >= 0) what += " of " + parameters[parameter].name;
    }
    throw DivergedError(
        message("training diverged at step ", seen.step, ": the ", what,
                " is not finite; try a smaller --learning-rate or --domain-weight"));
  }

  TrainingOptions options;
  std::uint64_t seed;
  Context context;
  Workers workers;
  bool has_domain_classifier = false;
  std::int64_t num_classes = kNumClasses;
  std::int64_t steps_per_epoch = 0, total_steps = 0, steps_done = 0;
  std::array<std::int64_t, 2> rows{};

  Buffer labelled_images, labels, unlabelled_images, channel_means;
  std::vector<float> host_channel_means;
  Parameters parameters;
  std::unique_ptr<TrainingMemory> memory;
  TrainingGraph training;
  std::unique_ptr<Executor> executor;
};

Trainer::Trainer(const TrainingOptions& options, const TrainingData& data, std::uint64_t seed,
                 const Device& device, int threads)
    : state_(std::make_unique<State>(options, data, seed, device, threads)) {}

Trainer::~Trainer() = default;

std::int64_t Trainer::total_steps() const { return state_->total_steps; }
std::int64_t Trainer::steps_done() const { return state_->steps_done; }
std::int64_t Trainer::steps_per_epoch() const { return state_->steps_per_epoch; }
std::int64_t Trainer::images_per_step() const {
  return state_->rows[kSource] + state_->rows[kTarget];
}

StepReport Trainer::run(std::int64_t count) {
  State& s = *state_;
  const TrainingGraph& t = s.training;
  count = std::min(count, s.total_steps - s.steps_done);
  StepReport report;
  const auto source = static_cast<double>(s.rows[kSource]);
  const auto images = static_cast<double>(images_per_step());
  for (std::int64_t i = 0; i < count; ++i) {
    s.executor->run(s.rows);
    s.throw_if_diverged();
    ++s.steps_done;
    report.label_loss += s.executor->read_scalar(t.label_loss) / source;
    if (s.has_domain_classifier) {
      report.domain_loss += s.executor->read_scalar(t.domain_loss) / images;
      report.domain_accuracy += s.executor->read_scalar(t.domain_correct) / images;
    }
  }
  report.steps = count;
  if (count == 0) return report;
  report.label_loss /= static_cast<double>(count);
  report.domain_loss /= static_cast<double>(count);
  report.domain_accuracy /= static_cast<double>(count);
  report.learning_rate = s.executor->read_scalar(t.update.learning_rate);
  if (s.has_domain_classifier) report.lambda = s.executor->read_scalar(t.lambda);
  return report;
}

double Trainer::evaluate(const LabelledImages& data) {
  State& s = *state_;
  require_fits(data.images, "evaluation set");
  if (data.images.count == 0) throw DataError("evaluation set: no pictures");
  EvaluationGraph evaluation =
      build_evaluation_graph(shape_of(data.images), s.num_classes, kEvaluationBatch, s.parameters);
  const std::array<std::int64_t, 1> batch{std::min(kEvaluationBatch, data.images.count)};
  Executor executor(evaluation.graph, s.parameters, s.memory->blocks(), s.context, s.workers,
                    batch);
  const auto to_context = [&](const std::vector<std::uint8_t>& bytes) {
    Buffer buffer(s.context, static_cast<std::int64_t>(bytes.size()));
    copy_from_host(s.context, buffer.data(), bytes.data(), buffer.bytes());
    return buffer;
  };
  const Buffer images = to_context(data.images.pixels), labels = to_context(data.labels);
  const Buffer step(s.context, sizeof(std::int64_t));
  executor.bind(evaluation.step, step.data());
  executor.bind(evaluation.images, images.data());
  executor.bind(evaluation.labels, labels.data());
  executor.bind(evaluation.channel_means, s.channel_means.data());
  double correct = 0.0;
  for (std::int64_t begin = 0; begin < data.images.count; begin += kEvaluationBatch) {
    const std::array<std::int64_t, 1> rows{std::min(kEvaluationBatch, data.images.count - begin)};
    executor.run(rows);
    correct += executor.read_scalar(evaluation.correct);
  }
  return correct / static_cast<double>(data.images.count);
}

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
                     {"preset", state_->options.preset},
                     {"num_classes", std::to_string(state_->num_classes)},
                     {"channel_means", fmt::format("{},{},{}", means[0], means[1], means[2])},
                     {"seed", std::to_string(state_->seed)},
                     {"steps", std::to_string(state_->steps_done)}});
}

}  // namespace gradflip
