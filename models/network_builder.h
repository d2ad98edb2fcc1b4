// Where layers put their nodes and parameters, and how the network is applied.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/pass.h"
#include "runtime/draft.h"
#include "runtime/graph.h"
#include "runtime/parameters.h"

namespace gradflip {

// The same name twice is the same parameter, so a network can be applied to several inputs in one
// graph, and two layers that are to differ need names that do.
class NetworkBuilder {
 public:
  NetworkBuilder(Graph& graph, Parameters& parameters, Pass pass = {})
      : graph_(graph), declared_(parameters), declares_(&parameters), pass_(std::move(pass)) {}
  // For a graph over parameters that have their memory already: none can be added.
  NetworkBuilder(Graph& graph, const Parameters& parameters, Pass pass = {})
      : graph_(graph), declared_(parameters), pass_(std::move(pass)) {}

  Graph& graph() { return graph_; }
  const Pass& pass() const { return pass_; }
  // The batch's segments from now on: the domain that each one's rows are of, and, in training, how
  // many it has at most.
  void set_segments(const std::vector<int>& domains, const std::vector<std::int64_t>& rows);
  Math math() const { return pass_.math; }

  // The parameter called `name`, declared on first use. Throws std::invalid_argument if it exists
  // with another shape, or does not exist and cannot be added.
  Value parameter(const std::string& name, const Shape& shape, const FileLayout& file,
                  const Initialiser& initialiser, bool trained = true);
  // Whether parameters can be added.
  bool can_declare() const { return declares_ != nullptr; }
  // Its index among the parameters; -1: there is none.
  std::int32_t index_of(const std::string& name) const;

  // How often a layer of this name has been applied before, in this pass: each time it draws
  // anew.
  int applications(const std::string& name) { return applied_[name]++; }

  // Statistics that a training step keeps, in the order in which layers asked for it.
  void keep(Running running) { running_.push_back(std::move(running)); }
  const std::vector<Running>& kept() const { return running_; }

 private:
  Graph& graph_;
  const Parameters& declared_;
  Parameters* declares_ = nullptr;  // the same; null where none can be added
  Pass pass_;
  std::vector<Value> values_;  // by parameter index; none() until this graph uses it
  std::map<std::string, int> applied_;
  std::vector<Running> running_;
};

}  // namespace gradflip
