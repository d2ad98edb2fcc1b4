// A draft that runs: compiled for a context, with its place in the state and memory of its own.
// Several that share a state are the updates of one step (sequence.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/compile.h"
#include "runtime/draft.h"
#include "runtime/executor.h"
#include "runtime/parameters.h"
#include "runtime/state.h"
#include "runtime/workers.h"

namespace gradflip {

// What a state has to keep for this draft's update; the draft has an objective.
UpdatedGroup updated_group(const Draft& draft);

struct ProgramOptions {
  bool fuse = true;                  // false: the reference that fusion is tested against
  std::int64_t record_capacity = 0;  // steps whose reports are kept
  bool advance = true;               // the step counter: the last program of a sequence does
  std::int32_t first_quantity = 0;   // how many quantities() the programs before it have
};

class Program {
 public:
  // state: made with updated_group(draft) among its groups, if the draft has an objective, from the
  // parameters that all drafts have declared by then. rows: of each segment that a run may have at
  // most; reports are divided by them. Everything passed but the draft must outlive the program.
  // Throws std::invalid_argument as compile() and Executor do.
  Program(const Draft& draft, const Parameters& parameters, const State& state,
          const Context& context, Workers& workers, std::span<const std::int64_t> rows,
          const ProgramOptions& options = {});

  // Where an external value of the draft lies, in the context's memory. The step counter, and what
  // the update needs, lie in the state.
  void bind(Value external, const void* memory);
  // Where the rows of one of the draft's results (Graph::mark_result) go, as Executor::bind_result
  // says.
  void bind_result(Value result, void* memory);

  // To run: by itself, or in a sequence.
  Executor& executor() { return executor_; }
  const std::vector<std::int64_t>& rows() const { return rows_; }

  // One of the draft's reads, or what a report shows, after a run.
  float read_scalar(Value value) const { return executor_.read_scalar(compiled_(value)); }

  // Copies the reports of the last record_capacity steps to the host.
  void fetch_records();
  // As of the last fetch: what a report told of a step among those.
  double report(std::size_t column, std::int64_t step) const;
  const std::vector<Column>& columns() const { return compiled_.columns; }

  // What FiniteGuard::quantity stands for, from first_quantity on: the terms' names, and
  // "gradient".
  const std::vector<std::string>& quantities() const { return compiled_.quantities; }

  // What runs.
  const Graph& graph() const { return compiled_.graph; }

 private:
  struct Ring {
    Buffer memory;
    std::vector<float> fetched;
    std::size_t columns;
  };

  Context context_;
  std::vector<std::int64_t> rows_;
  std::int64_t record_capacity_;
  Compiled compiled_;
  Executor executor_;
  std::vector<Ring> rings_;
};

}  // namespace gradflip
