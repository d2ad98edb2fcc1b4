#include <algorithm>

#include "kernels/require.h"
#include "kernels/sampled_conv_block.h"
#include "runtime/fusion.h"
#include "runtime/fusion_misses.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/augment.h"
#include "runtime/ops/conv_block.h"
#include "runtime/ops/gather.h"
#include "runtime/ops/sample.h"
#include "runtime/ops/sampled_conv_block.h"
#include "runtime/ops/schedule.h"

namespace gradflip {
namespace {

constexpr std::string_view kSampledConvBlock = "sampled_conv_block";

// Of an intake that has so many schedules already, and is to take another one.
Misfit schedules_misfit(std::size_t schedules) {
  if (schedules < kMaxSchedules) return {};
  return message("the intake of a step takes ", kMaxSchedules, " schedules");
}

// The intake of a step around one gather_normalize, in old values.
class Intake {
 public:
  Intake(const Graph& graph, const GraphRewrite& rewrite, std::int32_t gather)
      : graph_(graph), rewrite_(rewrite) {
    misfit_ = find_conv_block(gather);
    if (!misfit_) misfit_ = find_samples(gather);
    if (!misfit_) misfit_ = find_schedules();
  }

  const Misfit& misfit() const { return misfit_; }
  // All of them; the first comes before everyone who reads what they make.
  const std::vector<std::int32_t>& nodes() const { return nodes_; }

  void append(Successor& fused, bool keep_pictures) const {
    ops::SampledConvBlockInputs inputs{.step = fused.now(step_),
                                       .mean = fused.now(mean_),
                                       .scale = fused.now(scale_),
                                       .filter = fused.now(filter_),
                                       .bias = fused.now(bias_),
                                       .images = images_};
    for (ops::SampledImages& images : inputs.images) {
      images.images = fused.now(images.images);
      if (!images.labels.none()) images.labels = fused.now(images.labels);
    }
    const ops::SampledConvBlockOutputs outputs =
        ops::sampled_conv_block(fused.graph(), inputs, {geometry_, schedules_, keep_pictures});
    fused.becomes(pooled_, outputs.pooled);
    for (std::size_t i = 0; i < images_.size(); ++i) {
      if (!row_labels_[i].none()) fused.becomes(row_labels_[i], outputs.labels[i]);
    }
    for (std::size_t i = 0; i < scheduled_.size(); ++i) {
      fused.becomes(scheduled_[i], outputs.schedules[i]);
    }
  }

 private:
  const Node& node(std::int32_t index) const {
    return graph_.nodes()[static_cast<std::size_t>(index)];
  }

  // The only reader of the pictures.
  Misfit find_conv_block(std::int32_t gather) {
    const Value pictures = node(gather).outputs[0];
    if (const int readers = rewrite_.readers(pictures); readers != 1) {
      return message("the pictures have ", readers, " readers, not one convolution block alone");
    }
    std::int32_t index = -1;
    for (const Node& reader : graph_.nodes()) {
      ++index;
      const auto* geometry = attributes_of<ops::ConvBlockGeometry>(*reader.op);
      if (geometry == nullptr || !(reader.inputs[0] == pictures)) continue;
      geometry_ = *geometry;
      filter_ = reader.inputs[1];
      bias_ = reader.inputs[2];
      pooled_ = reader.outputs[0];
      nodes_ = {gather, index};
      const auto is_parameter = [&](Value value) {
        return graph_.info(value).kind == ValueKind::kParameter;
      };
      if (rewrite_.readers(reader.outputs[1]) != 0) return "another node reads the pool's winners";
      if (!is_parameter(filter_) || !is_parameter(bias_)) {
        return "the first convolution's filter or bias is computed, no parameter";
      }
      return sampled_misfit(ops::conv_block_shape(geometry_, 0, graph_.type(pictures).shape,
                                                  graph_.type(filter_).shape));
    }
    return "the pictures go into no convolution block";
  }

  bool is_external(Value value) const { return graph_.info(value).kind == ValueKind::kExternal; }

  Misfit find_samples(std::int32_t gather) {
    const Node& node = this->node(gather);
    mean_ = node.inputs[0];
    scale_ = node.inputs[1];
    if (!is_external(mean_) || !is_external(scale_)) return "the mean or scale is computed";
    for (std::size_t i = 2; i + 1 < node.inputs.size(); i += 2) {
      if (!is_external(node.inputs[i])) return "a data set is computed";
      if (Misfit misfit = add_segment(node.inputs[i], node.inputs[i + 1])) return misfit;
    }
    if (images_.size() <= kMaxSampledSegments) return {};
    return message(images_.size(), " segments, of at most ", kMaxSampledSegments);
  }

  Misfit add_segment(Value images, Value indices) {
    const Node* sample = rewrite_.producer(indices);
    const auto* rows = sample == nullptr ? nullptr : attributes_of<ops::SampledRows>(*sample->op);
    if (rows == nullptr) return "a segment's indices are not sampled (sample_indices)";
    if (!step_.none() && !(sample->inputs[0] == step_)) return "segments follow two step counters";
    step_ = sample->inputs[0];
    nodes_.push_back(rewrite_.producer_index(indices));
    images_.push_back({*rows, images, {}});
    row_labels_.emplace_back();
    int readers = 1;  // the pictures
    std::int32_t index = -1;
    for (const Node& reader : graph_.nodes()) {
      ++index;
      if (!is<ops::GatherLabelsAttributes>(*reader.op) || !(reader.inputs[1] == indices)) continue;
      if (!images_.back().labels.none()) return "a segment's labels are gathered twice";
      if (!is_external(reader.inputs[0])) return "a segment's labels are computed";
      images_.back().labels = reader.inputs[0];
      row_labels_.back() = reader.outputs[0];
      nodes_.push_back(index);
      ++readers;
    }
    if (rewrite_.readers(indices) == readers) return {};
    return "a segment's indices are read for more than its pictures and labels";
  }

  Misfit find_schedules() {
    std::int32_t index = -1;
    for (const Node& node : graph_.nodes()) {
      ++index;
      const auto* schedule = attributes_of<Schedule>(*node.op);
      if (schedule == nullptr || !(node.inputs[0] == step_)) continue;
      if (schedules_misfit(schedules_.size())) break;  // the others stay alone
      schedules_.push_back(*schedule);
      scheduled_.push_back(node.outputs[0]);
      nodes_.push_back(index);
    }
    if (is_external(step_)) return {};
    return "the step counter is computed";
  }

  const Graph& graph_;
  const GraphRewrite& rewrite_;
  Misfit misfit_;
  std::vector<std::int32_t> nodes_;
  ops::ConvBlockGeometry geometry_;
  Value step_, mean_, scale_, filter_, bias_, pooled_;
  std::vector<ops::SampledImages> images_;
  std::vector<Value> row_labels_;  // of each of images_
  std::vector<Schedule> schedules_;
  std::vector<Value> scheduled_;
};

}  // namespace

Rewritten fuse_sampled_input(const Graph& graph, std::span<const Value> keep,
                             SampledPictures pictures) {
  GraphRewrite rewrite(graph, keep);
  for (std::size_t index = 0; index < graph.nodes().size(); ++index) {
    if (!is<ops::GatherNormalizeAttributes>(*graph.nodes()[index].op)) continue;
    const Intake intake(graph, rewrite, static_cast<std::int32_t>(index));
    if (intake.misfit()) continue;
    // Everything that it reads is an input of the graph, so it can stand where the first stood.
    rewrite.replace(*std::min_element(intake.nodes().begin(), intake.nodes().end()), intake.nodes(),
                    [intake, pictures](Successor& fused) {
                      intake.append(fused, pictures == SampledPictures::kKeepForGradient);
                    });
    break;  // one step has one intake
  }
  return rewrite.apply();
}

std::vector<Unfused> unfused_sampled_input(const ForwardPart& forward) {
  const Graph& graph = forward.graph;
  const GraphRewrite rewrite(graph, forward.keep);
  const bool has_intake = graph.count(kSampledConvBlock) > 0;
  std::vector<Unfused> left;
  for (std::size_t index = 0; index < graph.nodes().size(); ++index) {
    const Node& node = graph.nodes()[index];
    if (is<ops::NormalizeAttributes>(*node.op)) {
      left.push_back({layer_label(graph, node),
                      "the pictures are augmented before they are "
                      "normalised"});
    }
    if (!is<ops::GatherNormalizeAttributes>(*node.op)) continue;
    const Intake intake(graph, rewrite, static_cast<std::int32_t>(index));
    const char* otherwise =
        has_intake ? "a step has one intake, and this is another" : kReadFromOutside;
    left.push_back({layer_label(graph, node), intake.misfit().value_or(otherwise)});
  }
  return left;
}

std::vector<Unfused> unfused_schedules(const Graph& compiled) {
  std::vector<Unfused> left;
  for (const Node& intake : compiled.nodes()) {
    if (intake.op->name() != kSampledConvBlock) continue;
    const auto schedules =
        std::count_if(intake.outputs.begin(), intake.outputs.end(), [&](Value value) {
          return compiled.type(value) == ValueType{Dtype::kF32, {}, {}};
        });
    for (const Node& node : compiled.nodes()) {
      if (!is<Schedule>(*node.op) || !(node.inputs[0] == intake.inputs[0])) continue;
      left.push_back({layer_label(compiled, node),
                      schedules_misfit(static_cast<std::size_t>(schedules))
                          .value_or("it was appended after the intake had been fused")});
    }
  }
  return left;
}

}  // namespace gradflip
