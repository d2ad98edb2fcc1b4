// The head of a training step as a GPU runs it: pictures drawn from two data sets of bytes, the
// first with labels, through the first convolution block; and the step's schedules.
#include <array>
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/kernels/conv_cost.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/sampled_conv_block.h"
#include "tests/support/reference/conv_block.h"

namespace gradflip::bench {
namespace {

using reference::widen;

constexpr std::int64_t kPictures = 8192;  // of each data set: more than caches hold
constexpr std::int64_t kFewPictures = 5;  // of a check
constexpr std::int64_t kStep = 7;
constexpr float kFactor = 1.0F / 255.0F;
constexpr std::array<Schedule, 2> kSchedules{
    {{.kind = Schedule::Kind::kSigmoidRamp, .start = 1.0, .gamma = 10.0, .total_steps = 20},
     {.kind = Schedule::Kind::kProgressDecay,
      .start = 0.01,
      .alpha = 10.0,
      .beta = 0.75,
      .total_steps = 20}}};

std::vector<float> means(std::int64_t channels) {
  std::vector<float> values(static_cast<std::size_t>(channels));
  for (std::size_t c = 0; c < values.size(); ++c) values[c] = 20.0F + 10.0F * static_cast<float>(c);
  return values;
}

template <typename Ctx>
struct SampledArrays {
  SampledArrays(Ctx ctx, const ConvBlockShape& block_shape, std::int64_t count)
      : context(ctx),
        shape(block_shape),
        pictures(count),
        picture_bytes(shape.conv.H * shape.conv.W * shape.conv.C),
        source(ctx, random_bytes(count * picture_bytes, 1)),
        target(ctx, random_bytes(count * picture_bytes, 2)),
        labels(ctx, random_labels(count, 10, 3)),
        mean(ctx, means(shape.conv.C)),
        scale(ctx, std::vector<float>(static_cast<std::size_t>(shape.conv.C), kFactor)),
        filter(ctx, many_random_floats(sizes_of(shape.conv).filter, 4)),
        bias(ctx, many_random_floats(shape.conv.K, 5)),
        step(ctx, std::vector<std::int64_t>{kStep}),
        pooled(ctx, pooled_size(shape)),
        x(ctx, sizes_of(shape.conv).x),
        scheduled(ctx, static_cast<std::int64_t>(kSchedules.size())),
        winner(ctx, pooled_size(shape)),
        workspace(ctx, sampled_conv_block_workspace_bytes(ctx, shape)),
        row_labels(ctx, rows(0)) {}

  std::int64_t rows(int segment) const {
    return segment == 0 ? shape.conv.N - shape.conv.N / 2 : shape.conv.N / 2;
  }
  Sampler sampler(int segment) const {
    return {.seed = 11,
            .stream = static_cast<std::uint32_t>(segment),
            .size = pictures,
            .batch = rows(segment)};
  }

  void run() const {
    const std::array<SampledSegment, 2> segments{
        {{source.data(), shape.conv.C, sampler(0), rows(0), labels.data(), row_labels.data()},
         {target.data(), shape.conv.C, sampler(1), rows(1)}}};
    const std::array<ScheduledValue, 2> schedules{
        {{kSchedules[0], scheduled.data()}, {kSchedules[1], scheduled.data() + 1}}};
    sampled_conv_block_forward(context,
                               {.shape = shape,
                                .segments = segments,
                                .step = step.data(),
                                .mean = mean.data(),
                                .scale = scale.data(),
                                .filter = filter.data(),
                                .bias = bias.data(),
                                .pooled = pooled.data(),
                                .winner = winner.data(),
                                .x = x.data(),
                                .schedules = schedules},
                               workspace.data());
  }

  Ctx context;
  ConvBlockShape shape;
  std::int64_t pictures, picture_bytes;
  Array<std::uint8_t> source, target;
  Array<std::int32_t> labels;
  Array<float> mean, scale, filter, bias;
  Array<std::int64_t> step;
  Array<float> pooled, x, scheduled;
  Array<std::uint8_t> winner, workspace;
  Array<std::int32_t> row_labels;
};

// The pictures that the step draws, and that labels go with them.
template <typename Ctx>
std::string check_samples(const SampledArrays<Ctx>& arrays) {
  const std::vector<float> mean = arrays.mean.read();
  const std::vector<std::int32_t> labels = arrays.labels.read();
  const std::vector<std::int32_t> row_labels = arrays.row_labels.read();
  reference::Sums want(arrays.x.size());
  std::int64_t element = 0;
  for (int segment = 0; segment < 2; ++segment) {
    const auto images = segment == 0 ? arrays.source.read() : arrays.target.read();
    const std::int64_t rows = arrays.rows(segment);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t index = sample_index(arrays.sampler(segment), kStep * rows + r);
      if (segment == 0 && row_labels.at(r) != labels.at(index)) return "labels of other rows";
      for (std::int64_t i = 0; i < arrays.picture_bytes; ++i, ++element) {
        const auto factor = static_cast<double>(kFactor);
        const auto channel = static_cast<std::size_t>(i % arrays.shape.conv.C);
        want.add(element, factor * images.at(index * arrays.picture_bytes + i));
        want.add(element, -factor * static_cast<double>(mean[channel]));
      }
    }
  }
  return differences("x", arrays.x.read(), want, kElementwise);
}

template <typename Ctx>
std::string check(Ctx ctx, const ConvBlockShape& shape) {
  const SampledArrays<Ctx> arrays(ctx, shape, kFewPictures);
  arrays.run();
  const std::string samples = check_samples(arrays);
  if (!samples.empty()) return samples;
  reference::Sums schedules(2);
  for (int i = 0; i < 2; ++i) schedules.add(i, schedule_at(kSchedules.at(i), kStep));
  const std::string scheduled =
      differences("schedules", arrays.scheduled.read(), schedules, kElementwise);
  if (!scheduled.empty()) return scheduled;
  const reference::ConvBlockOutput want = reference::conv_block_forward(
      shape, widen(arrays.x.read()), widen(arrays.filter.read()), widen(arrays.bias.read()));
  const double bound = sum_tolerance(shape.conv.math);
  const std::string pooled = differences("pooled", arrays.pooled.read(), want.pooled, bound);
  if (!pooled.empty() || shape.conv.math != Math::kF32) return pooled;
  const auto winners = reference::winners_match(arrays.winner.read(), want, shape, bound);
  return winners ? "" : std::string("winner: ") + winners.message();
}

// A block's, with its pictures as bytes beside the floats that are kept of them; labels are read
// and written for half of the rows.
Work work_of(const ConvBlockShape& shape) {
  Work work = conv_block_forward_work(shape);
  const std::int64_t labelled = shape.conv.N - shape.conv.N / 2;
  work.bytes += static_cast<double>(sizes_of(shape.conv).x + 8 * labelled);
  work.bytes += 4.0 * static_cast<double>(2 * shape.conv.C + std::ssize(kSchedules));
  return work;
}

}  // namespace

void add_sampled_conv_block_cases(Suite& suite) {
  const ConvLayer layer = suite.shapes.conv_layers.front();
  std::visit(
      [&](auto ctx) {
        for (const std::int64_t batch : suite.batches) {
          for (const Math math : suite.maths) {
            const ConvBlockShape shape = with_batch(layer.shape, batch, math);
            suite.add({"sampled_conv_block", layer.name, batch, math, kOurs, work_of(shape),
                       [=] {
                         const auto arrays =
                             std::make_shared<SampledArrays<decltype(ctx)>>(ctx, shape, kPictures);
                         return [=] { arrays->run(); };
                       },
                       [=] { return check(ctx, with_batch(shape, kCheckBatch, math)); }});
          }
        }
      },
      suite.context);
}

}  // namespace gradflip::bench
