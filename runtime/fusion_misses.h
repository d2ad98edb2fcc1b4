// What each rewrite of fusion.h leaves as it is, and why: beside the rewrite, in its file, by the
// conditions that it matches with. unfused.h puts them together.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/unfused.h"

namespace gradflip {

// A compiled graph without its gradients and without what changes state, as the rewrites before
// autodiff found it, except for what they have made of it.
struct ForwardPart {
  Graph graph;
  std::vector<Value> keep;    // which are guarded or recorded
  std::vector<Value> losses;  // the terms': which are guarded
  bool is_trained = false;    // there were gradients
};
ForwardPart forward_part(const Graph& compiled);

std::vector<Unfused> unfused_conv_blocks(const ForwardPart& forward);
std::vector<Unfused> unfused_losses(const ForwardPart& forward);
std::vector<Unfused> unfused_heads(const ForwardPart& forward);
std::vector<Unfused> unfused_sampled_input(const ForwardPart& forward);
// Schedules that stand beside the intake of a step that has been fused.
std::vector<Unfused> unfused_schedules(const Graph& compiled);
std::vector<Unfused> unfused_linear_merges(const Graph& compiled);
std::vector<Unfused> unfused_training_update(const Graph& compiled);

// "conv2d feature_extractor.conv1", by the parameters that the node reads; without any, by those of
// the next node above it.
std::string layer_label(const Graph& graph, const Node& node);

// Of what a rewrite's conditions admit, as far as the graph tells.
inline constexpr const char* kReadFromOutside =
    "a value between its nodes is read outside of the graph";

}  // namespace gradflip
