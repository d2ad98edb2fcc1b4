// Losses and their gradients: softmax cross-entropy over the classes, binary cross-entropy over the
// domains; summed, and each row's own.
#include <memory>

#include "benchmarks/kernels/cases.h"
#include "benchmarks/support/arrays.h"
#include "benchmarks/support/check.h"
#include "kernels/bce_with_logits.h"
#include "kernels/softmax_cross_entropy.h"
#include "tests/support/reference/bce_with_logits.h"
#include "tests/support/reference/softmax_cross_entropy.h"

namespace gradflip::bench {
namespace {

using reference::widen;

constexpr float kSmoothing = 0.1F;
constexpr std::int64_t kSmallBatch = 67;

template <typename Ctx>
struct SoftmaxArrays {
  SoftmaxArrays(Ctx ctx, const SoftmaxCrossEntropyShape& loss_shape)
      : context(ctx),
        shape(loss_shape),
        labels(ctx, random_labels(shape.N, shape.num_classes, 1)),
        logits(ctx, many_random_floats(shape.N * shape.num_classes, 2)),
        loss(ctx, 1),
        losses(ctx, shape.N),
        dlogits(ctx, shape.N * shape.num_classes) {}

  void run() const {
    softmax_cross_entropy(context, shape, kSmoothing, Scale{}, logits.data(), labels.data(),
                          Write::kOverwrite, loss.data(), dlogits.data());
  }

  void run_rows() const {
    softmax_cross_entropy_rows(context, shape, kSmoothing, logits.data(), labels.data(),
                               losses.data(), dlogits.data());
  }

  Ctx context;
  SoftmaxCrossEntropyShape shape;
  Array<std::int32_t> labels;
  Array<float> logits, loss, losses, dlogits;
};

template <typename Ctx>
struct BceArrays {
  BceArrays(Ctx ctx, std::int64_t batch)
      : context(ctx),
        logits(ctx, many_random_floats(batch, 1)),
        loss(ctx, 1),
        losses(ctx, batch),
        dlogits(ctx, batch),
        labels(ctx, halves(batch)) {}

  // The first half is the source domain, 0, the second the target, 1.
  static std::vector<float> halves(std::int64_t batch) {
    std::vector<float> labels(static_cast<std::size_t>(batch));
    for (std::int64_t n = batch / 2; n < batch; ++n) labels[n] = 1.0F;
    return labels;
  }

  void run() const {
    bce_with_logits(context, logits.size(), 0.0F, Scale{}, logits.data(), labels.data(),
                    Write::kOverwrite, loss.data(), dlogits.data());
  }

  void run_rows() const {
    bce_with_logits_rows(context, logits.size(), 0.0F, logits.data(), labels.data(), losses.data(),
                         nullptr, dlogits.data());
  }

  Ctx context;
  Array<float> logits, loss, losses, dlogits, labels;
};

std::string both(const std::vector<float>& loss, const std::vector<float>& dlogits,
                 const reference::Loss& want) {
  const std::string difference = differences("loss", loss, want.loss, kSum);
  return difference.empty() ? differences("dlogits", dlogits, want.dlogits, kSum) : difference;
}

template <typename Ctx>
std::string check_softmax(Ctx ctx, std::int64_t num_classes) {
  const SoftmaxArrays<Ctx> arrays(ctx, {kSmallBatch, num_classes});
  arrays.run();
  return both(arrays.loss.read(), arrays.dlogits.read(),
              reference::softmax_cross_entropy(num_classes, static_cast<double>(kSmoothing), 1.0,
                                               widen(arrays.logits.read()), arrays.labels.read()));
}

template <typename Ctx>
std::string check_softmax_rows(Ctx ctx, std::int64_t num_classes) {
  const SoftmaxArrays<Ctx> arrays(ctx, {kSmallBatch, num_classes});
  arrays.run_rows();
  return both(
      arrays.losses.read(), arrays.dlogits.read(),
      reference::softmax_cross_entropy_rows(num_classes, static_cast<double>(kSmoothing),
                                            widen(arrays.logits.read()), arrays.labels.read()));
}

template <typename Ctx>
std::string check_bce(Ctx ctx) {
  const BceArrays<Ctx> arrays(ctx, kSmallBatch);
  arrays.run();
  return both(
      arrays.loss.read(), arrays.dlogits.read(),
      reference::bce_with_logits(1.0, widen(arrays.logits.read()), widen(arrays.labels.read())));
}

template <typename Ctx>
std::string check_bce_rows(Ctx ctx) {
  const BceArrays<Ctx> arrays(ctx, kSmallBatch);
  arrays.run_rows();
  return both(
      arrays.losses.read(), arrays.dlogits.read(),
      reference::bce_with_logits_rows(widen(arrays.logits.read()), widen(arrays.labels.read())));
}

// FLOP of these are not worth counting: what they cost is memory, and on a GPU one launch.
Work loss_work(std::int64_t logits, std::int64_t other_bytes) {
  return {0.0, 8.0 * static_cast<double>(logits) + static_cast<double>(other_bytes)};
}

template <typename Ctx>
void add_losses(Suite& suite, Ctx ctx, std::int64_t batch) {
  const std::int64_t classes = suite.shapes.num_classes;
  suite.add({"softmax_cross_entropy", std::to_string(classes) + "_classes", batch, Math::kF32,
             kOurs, loss_work(batch * classes, 4 * batch),
             [=] {
               const auto arrays = std::make_shared<SoftmaxArrays<Ctx>>(
                   ctx, SoftmaxCrossEntropyShape{batch, classes});
               return [=] { arrays->run(); };
             },
             [=] { return check_softmax(ctx, classes); }});
  suite.add({"bce_with_logits", "1_logit", batch, Math::kF32, kOurs, loss_work(batch, 4 * batch),
             [=] {
               const auto arrays = std::make_shared<BceArrays<Ctx>>(ctx, batch);
               return [=] { arrays->run(); };
             },
             [=] { return check_bce(ctx); }});
}

template <typename Ctx>
void add_losses_of_rows(Suite& suite, Ctx ctx, std::int64_t batch) {
  const std::int64_t classes = suite.shapes.num_classes;
  suite.add({"softmax_cross_entropy_rows", std::to_string(classes) + "_classes", batch, Math::kF32,
             kOurs, loss_work(batch * classes, 8 * batch),
             [=] {
               const auto arrays = std::make_shared<SoftmaxArrays<Ctx>>(
                   ctx, SoftmaxCrossEntropyShape{batch, classes});
               return [=] { arrays->run_rows(); };
             },
             [=] { return check_softmax_rows(ctx, classes); }});
  suite.add({"bce_with_logits_rows", "1_logit", batch, Math::kF32, kOurs,
             loss_work(batch, 8 * batch),
             [=] {
               const auto arrays = std::make_shared<BceArrays<Ctx>>(ctx, batch);
               return [=] { arrays->run_rows(); };
             },
             [=] { return check_bce_rows(ctx); }});
}

}  // namespace

void add_loss_cases(Suite& suite) {
  std::visit(
      [&](auto ctx) {
        for (const std::int64_t batch : suite.batches) {
          add_losses(suite, ctx, batch);
          add_losses_of_rows(suite, ctx, batch);
        }
      },
      suite.context);
}

}  // namespace gradflip::bench
