#include "tests/support/torch_trace.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace gradflip::trace {
namespace {

std::map<std::string, Sample> samples(const nlohmann::json& blocks) {
  std::map<std::string, Sample> result;
  for (const auto& [name, block] : blocks.items()) {
    result[name] = {block.at("norm"), block.at("indices"), block.at("values")};
  }
  return result;
}

}  // namespace

Trace read_torch_trace(const std::filesystem::path& path) {
  std::ifstream file(path);
  const nlohmann::json json = nlohmann::json::parse(file);
  Trace trace;
  for (const auto& step : json.at("steps")) {
    trace.steps.push_back({step.at("lambda"), step.at("learning_rate"), step.at("label_loss"),
                           step.at("domain_loss"), step.at("float32_label_loss"),
                           step.at("float32_domain_loss")});
  }
  trace.initial_weights = samples(json.at("initial_weights"));
  trace.weight_changes = samples(json.at("weight_changes"));
  if (!json.contains("running")) return trace;
  trace.running = samples(json.at("running"));
  for (const auto& [domain, logits] : json.at("evaluation").items()) {
    trace.evaluation[domain] = {logits.at("label_logits"), logits.at("domain_logits")};
  }
  return trace;
}

}  // namespace gradflip::trace
