#include "runtime/sequence.h"

#include <algorithm>
#include <utility>

#include "kernels/require.h"

namespace gradflip {
namespace {

// Steps in one replay: enough that the host's part of a replay, some 10 us, does not show beside
// steps of 25 us, and few enough that a block ends within milliseconds.
constexpr std::int64_t kStepsPerReplay = 16;

}  // namespace

void Sequence::append(Executor& executor, std::vector<std::int64_t> rows, int times) {
  GRADFLIP_REQUIRE(times > 0, message("sequence: ", times, " runs of an executor"));
  entries_.push_back({&executor, std::move(rows), times, 0});
  recorded_one_.reset();
}

void Sequence::run(std::int64_t steps) {
  if (steps > 1 && can_replay()) {
    run_recorded(steps);
  } else {
    for (std::int64_t step = 0; step < steps; ++step) run_once();
  }
}

bool Sequence::can_replay() const {
  return can_record(context_) &&
         std::none_of(entries_.begin(), entries_.end(),
                      [](const Entry& entry) { return entry.executor->is_observed(); });
}

// Recorded launches hold the addresses that were bound then.
bool Sequence::is_recorded() const {
  return recorded_one_ != nullptr &&
         std::all_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
           return entry.executor->bindings() == entry.recorded_bindings;
         });
}

void Sequence::run_once() {
  for (const Entry& entry : entries_) {
    for (int time = 0; time < entry.times; ++time) entry.executor->run(entry.rows);
  }
}

void Sequence::run_recorded(std::int64_t steps) {
  if (!is_recorded()) {
    recorded_one_.reset();
    // Once for real: what kernels need to be loaded is loaded, and a launch that cannot be made
    // says so where it stands.
    run_once();
    --steps;
    for (Entry& entry : entries_) entry.recorded_bindings = entry.executor->bindings();
    std::unique_ptr<Recording> one = record(context_, [&] { run_once(); });
    recorded_block_ = record(context_, [&] {
      for (std::int64_t step = 0; step < kStepsPerReplay; ++step) run_once();
    });
    recorded_one_ = std::move(one);  // both or none
  }
  for (; steps >= kStepsPerReplay; steps -= kStepsPerReplay) recorded_block_->replay();
  for (; steps > 0; --steps) recorded_one_->replay();
}

}  // namespace gradflip
